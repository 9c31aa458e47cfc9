import Foundation
import Testing

@testable import Raft

/// A file of commands, each with the trace it is to leave.
///
/// Lines that begin with `#` and empty ones are for readers. A line that begins with two spaces is part of the trace of
/// the command above it. `RAFT_SCENARIOS=rewrite swift test --filter ScenarioTests` writes the traces anew.
struct ScenarioFile: CustomTestStringConvertible {
  struct Step {
    /// What is for readers, in front of the command.
    var remarks: [String]
    var command: String
    var trace: [String] = []
  }

  let name: String
  let url: URL
  var steps: [Step] = []
  var end: [String] = []

  var testDescription: String { name }

  init(_ url: URL) throws {
    name = url.deletingPathExtension().lastPathComponent
    self.url = url
    var remarks: [String] = []
    for line in try String(contentsOf: url, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false) {
      if line.hasPrefix("  "), !steps.isEmpty {
        steps[steps.count - 1].trace.append(String(line.dropFirst(2)))
      } else if line.isEmpty || line.hasPrefix("#") {
        remarks.append(String(line))
      } else {
        steps.append(Step(remarks: remarks, command: String(line)))
        remarks = []
      }
    }
    end = remarks
  }

  var text: String {
    let lines = steps.flatMap { $0.remarks + [$0.command] + $0.trace.map { "  " + $0 } } + end
    return lines.joined(separator: "\n")
  }

  /// The remark at the head of the file.
  var head: String { (steps.first?.remarks ?? []).joined(separator: " ") }

  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Scenarios")

  static var all: [ScenarioFile] {
    get throws {
      let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
      return try files.filter { $0.pathExtension == "txt" }.sorted { $0.path < $1.path }.map(ScenarioFile.init)
    }
  }
}

@Suite("Scenarios")
struct ScenarioTests {
  static let isRewriting = ProcessInfo.processInfo.environment["RAFT_SCENARIOS"] == "rewrite"

  @Test("Every scenario leaves the trace that its file says", arguments: try ScenarioFile.all)
  func plays(file: ScenarioFile) throws {
    var file = file
    let scenario = Scenario()
    for (number, step) in file.steps.enumerated() {
      let trace: [String]
      do {
        trace = try scenario.perform(step.command)
      } catch let mistake as Scenario.Mistake {
        Issue.record("\(file.name), \(step.command): \(mistake.text)")
        return
      }
      if !Self.isRewriting, trace != step.trace {
        let (found, expected) = (trace.joined(separator: "\n"), step.trace.joined(separator: "\n"))
        Issue.record("\(file.name), after \(step.command):\n\(found)\ninstead of\n\(expected)")
        return
      }
      file.steps[number].trace = trace
    }
    #expect(scenario.ledger.violations.isEmpty, "\(file.name)")
    if Self.isRewriting { try file.text.write(to: file.url, atomically: true, encoding: .utf8) }
  }

  @Test("Every scenario says what it shows and which section says so")
  func areExplained() throws {
    let files = try ScenarioFile.all
    #expect(files.count >= 18)
    for file in files { #expect(file.head.contains("§"), "\(file.name)") }
  }
}
