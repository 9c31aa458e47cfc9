internal import Disks
internal import Glibc
internal import Reactor

/// What a configuration is held against: the machine as it is for whoever asks.
public struct MachineFacts: Sendable {
  /// What is where the data folder should be.
  public enum Folder: Sendable, Equatable {
    /// It will be made, or cannot be for want of rights.
    case absent(canBeMade: Bool)
    /// It is not there, and where it would be nobody can make any.
    case nowhere
    case notAFolder
    case notWritable
    /// Why it is no data directory.
    case foreign(String)
    case usable
  }

  public var folder: Folder
  /// Where the data folder is or will be; nil where nobody knows.
  public var freeBytes: Int?
  /// The hard limit, which a node raises its own to.
  public var openFiles: Int
  public var processors: Int
  /// Whether others than its owner may read the file of the cluster's secret.
  public var secretIsReadableByOthers = false
  /// Whether the host's name stands for an address that others can dial.
  public var hostNameCanBeDialled = true

  public init(folder: Folder, freeBytes: Int?, openFiles: Int, processors: Int) {
    self.folder = folder
    self.freeBytes = freeBytes
    self.openFiles = openFiles
    self.processors = processors
  }

  /// Looks, and changes nothing.
  public static func look(for configuration: NodeConfiguration, processors: Int) -> MachineFacts {
    var facts = MachineFacts(
      folder: folder(configuration.dataFolder), freeBytes: freeBytes(near: configuration.dataFolder), openFiles: openFiles(), processors: processors)
    if let file = configuration.clusterSecretFile, let mode = mode(of: file) {
      facts.secretIsReadableByOthers = mode & (S_IRGRP | S_IROTH) != 0
    }
    if configuration.isClustered, configuration.advertise == nil, let bound = address(configuration.clusterEndpoint), bound.isUnspecified {
      facts.hostNameCanBeDialled = NodeHome.address(of: configuration.hostName, like: bound) != nil
    }
    return facts
  }

  private static func address(_ endpoint: Endpoint) -> SocketAddress? {
    do throws(ReactorError) {
      return try Address(host: endpoint.host, port: endpoint.port).resolve().first
    } catch {
      return nil  // A name that nobody knows is not every address.
    }
  }

  private static func mode(of path: String) -> mode_t? {
    var found = stat()
    return stat(path, &found) == 0 ? found.st_mode : nil
  }

  private static func folder(_ path: String) -> Folder {
    guard let mode = mode(of: path) else {
      let place = above(path)
      guard holdsFiles(place) else { return .nowhere }
      return .absent(canBeMade: access(place, W_OK | X_OK) == 0)
    }
    guard mode & S_IFMT == S_IFDIR else { return .notAFolder }
    guard access(path, R_OK | W_OK | X_OK) == 0 else { return .notWritable }
    return DataDirectory.problem(at: path).map { .foreign($0.description) } ?? .usable
  }

  /// The nearest folder above a path that is there.
  private static func above(_ path: String) -> String {
    let root = path.hasPrefix("/") ? "/" : ""
    var parts = path.split(separator: "/")
    while !parts.isEmpty {
      parts.removeLast()
      let folder = root + parts.joined(separator: "/")
      if !parts.isEmpty, mode(of: folder) != nil { return folder }
    }
    return root.isEmpty ? "." : root
  }

  /// Whether it is a folder of a file system that has any room, and not one that the kernel makes up, such as `/proc`.
  private static func holdsFiles(_ path: String) -> Bool {
    guard let mode = mode(of: path), mode & S_IFMT == S_IFDIR else { return false }
    return DataDirectory.holdsFiles(path)
  }

  private static func freeBytes(near path: String) -> Int? {
    var found = statvfs()
    guard statvfs(mode(of: path) == nil ? above(path) : path, &found) == 0 else { return nil }
    return Int(clamping: UInt64(found.f_bavail) * UInt64(found.f_frsize))
  }

  private static func openFiles() -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return Int.max }
    return Int(clamping: limit.rlim_max)
  }
}
