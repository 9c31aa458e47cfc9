import CLinux
import Core
import Glibc
import Node

/// `tidings serve`: reads what the node should be, and runs it.
enum ServeCommand {
  static func run(_ words: [String]) throws -> Int32 {
    let arguments = try ConfigurationReader.arguments(words)
    if arguments.has("help") {
      Console.print(ServeOption.command.helpText)
      return Command.ExitCode.ok
    }
    let environment = Surroundings.variables
    let file = try ConfigurationReader.fileName(arguments: arguments, environment: environment).map(read)
    var configuration = try ConfigurationReader.read(
      arguments: arguments, environment: environment, file: file, hostName: Surroundings.hostName,
      processors: max(1, Int(tidings_allowed_processors())))
    if let problem = configuration.exposureProblem ?? configuration.clashes.first { throw problem }
    configuration.clusterSecret = try configuration.clusterSecretFile.map(readSecret)
    let log = Log(level: configuration.logLevel, format: configuration.logFormat)
    for notice in configuration.notices { log.warning("configuration", notice) }
    defer { log.finish() }
    return TidingsNode.run(configuration, log: log)
  }

  static func readSecret(_ name: String) throws(UsageError) -> Bytes {
    do throws(FileProblem) {
      return try WholeFile.read(name, atMost: 64 << 10)
    } catch {
      throw UsageError("--cluster-secret-file \(name) cannot be read: \(error.reason)", hint: "it is a file with a line of at least 16 bytes")
    }
  }

  static func read(_ name: String) throws(UsageError) -> ConfigurationFile {
    let text: Bytes
    do throws(FileProblem) {
      text = try WholeFile.read(name, atMost: ConfigurationFile.longestText)
    } catch {
      throw UsageError("the configuration file \(name) cannot be read: \(error.reason)", hint: "--config names a JSON5 file")
    }
    return try ConfigurationFile(reading: text, name: name)
  }
}
