internal import Core

/// What one client may do. Every publish and every follow asks the one value that its connection carries.
public struct Permissions: Sendable, Hashable {
  public enum Action: Sendable {
    /// Publish to a topic.
    case publish
    /// Follow a filter, read its history or its current values.
    case follow
  }

  public enum Privilege: Sendable {
    /// Drain nodes, move shards, reset what others have stored.
    case admin
  }

  private enum Reach: Sendable, Hashable {
    case everything
    /// What any one of these filters covers.
    case filters([Bytes])
  }

  private var publishing: Reach
  private var following: Reach
  private var isAdmin: Bool

  /// For nodes without authentication.
  public static let everything = Permissions(publishing: .everything, following: .everything, isAdmin: true)

  public static let nothing = Permissions(publish: [], follow: [])

  /// Allows publishing and following what the given filters cover, each on its own.
  public init(publish: [String], follow: [String], admin: Bool = false) {
    self.init(
      publishing: .filters(publish.map { Bytes($0) }), following: .filters(follow.map { Bytes($0) }), isAdmin: admin)
  }

  private init(publishing: Reach, following: Reach, isAdmin: Bool) {
    self.publishing = publishing
    self.following = following
    self.isAdmin = isAdmin
  }

  /// `text` is a valid topic for `.publish` and a valid filter for `.follow`. A shared subscription,
  /// `$share/group/filter`, asks for its filter.
  public func allows(_ action: Action, _ text: UnsafeRawBufferPointer) -> Bool {
    switch action {
    case .publish: Permissions.reaches(publishing, text)
    case .follow: Permissions.reaches(following, Permissions.withoutShare(text))
    }
  }

  public func allows(_ action: Action, _ text: String) -> Bool {
    var text = text
    return text.withUTF8 { allows(action, UnsafeRawBufferPointer($0)) }
  }

  public func allows(_ privilege: Privilege) -> Bool {
    switch privilege {
    case .admin: isAdmin
    }
  }

  private static func reaches(_ reach: Reach, _ text: UnsafeRawBufferPointer) -> Bool {
    switch reach {
    case .everything: true
    case .filters(let filters):
      filters.contains { filter in filter.withUnsafeBytes { FilterCover.covers($0, text) } }
    }
  }

  private static func withoutShare(_ filter: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
    let prefix: StaticString = "$share/"
    guard filter.count > prefix.utf8CodeUnitCount,
      filter.prefix(prefix.utf8CodeUnitCount).elementsEqual(prefix.asBytes),
      let slash = filter[prefix.utf8CodeUnitCount...].firstIndex(of: UInt8(ascii: "/"))
    else { return filter }
    return UnsafeRawBufferPointer(rebasing: filter[(slash + 1)...])
  }
}

extension StaticString {
  fileprivate var asBytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: utf8Start, count: utf8CodeUnitCount)
  }
}
