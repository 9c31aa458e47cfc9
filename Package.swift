// swift-tools-version: 6.2
import PackageDescription

// One table of rooms, bottom to top. A module may import exactly what stands in its row; the build
// checks it (`--explicit-target-dependency-import-check error`) and Tests/Tidy checks the rest.

enum Kind {
  /// No socket, file, clock, thread, random source or logger.
  case pure
  /// Sockets, disks, threads.
  case shell
}

struct Room {
  let name: String
  let kind: Kind
  let imports: [String]
}

let engines: [(name: String, library: String?)] = [
  ("CLinux", nil),
  ("CChecksum", nil),
]

let rooms: [Room] = [
  Room(name: "Core", kind: .pure, imports: ["CChecksum"]),
  Room(name: "JSON", kind: .pure, imports: ["Core"]),
  Room(name: "HTTP", kind: .pure, imports: ["Core"]),
  Room(name: "SSE", kind: .pure, imports: ["Core"]),
  Room(name: "WebSocket", kind: .pure, imports: ["Core", "HTTP", "CZlib"]),
  Room(name: "MQTT", kind: .pure, imports: ["Core"]),
  Room(name: "Security", kind: .pure, imports: ["Core"]),
  Room(name: "Feeds", kind: .pure, imports: ["Core"]),
  Room(name: "Sessions", kind: .pure, imports: ["Core", "Feeds", "MQTT"]),
  Room(name: "Gossip", kind: .pure, imports: ["Core"]),
  Room(name: "Sealing", kind: .pure, imports: ["Core", "Gossip", "COpenSSL"]),
  Room(name: "Placement", kind: .pure, imports: ["Core"]),
  Room(name: "Journal", kind: .pure, imports: ["Core"]),
  Room(name: "Raft", kind: .pure, imports: ["Core"]),
  Room(name: "Shard", kind: .pure, imports: ["Core", "Feeds"]),
  Room(name: "Presence", kind: .pure, imports: ["Core", "Feeds"]),
  Room(name: "Replica", kind: .pure, imports: ["Core", "Journal", "Shard", "Feeds", "Raft", "Presence"]),
  Room(name: "Wire", kind: .pure, imports: ["Core", "Feeds", "Raft", "Replica", "Gossip", "Placement"]),
  Room(name: "Simulation", kind: .pure, imports: ["Core", "MQTT", "Journal", "Shard", "Feeds", "Sessions", "Raft", "Replica", "Wire"]),
  Room(name: "Reactor", kind: .shell, imports: ["Core", "CLinux"]),
  Room(name: "Links", kind: .shell, imports: ["Core", "Gossip", "Sealing", "Wire", "Reactor"]),
  Room(name: "Disks", kind: .shell, imports: ["Core", "Journal", "CLinux"]),
  Room(name: "Broker", kind: .shell, imports: ["Core", "Feeds", "Journal", "Raft", "Shard", "Replica", "Placement", "Reactor", "Disks"]),
  Room(
    name: "Edge", kind: .shell,
    imports: ["Core", "JSON", "HTTP", "SSE", "WebSocket", "MQTT", "Security", "Feeds", "Presence", "Sessions", "Reactor"]),
  Room(
    name: "Node", kind: .shell,
    imports: [
      "Core", "JSON", "HTTP", "MQTT", "Security", "Feeds", "Journal", "Raft", "Replica", "Gossip", "Placement", "Sealing", "Wire", "Reactor", "Disks",
      "Links", "Broker", "Edge",
    ]),
  Room(name: "Client", kind: .shell, imports: ["Core", "JSON", "HTTP", "SSE", "CLinux"]),
  Room(name: "Bench", kind: .shell, imports: ["Core", "JSON", "HTTP", "WebSocket", "CLinux"]),
]

let strict: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
]

/// Debug and tests keep exclusivity checks; release holds each event's state in one value and pays once.
let release: [SwiftSetting] = [
  .unsafeFlags(["-enforce-exclusivity=unchecked", "-cross-module-optimization"], .when(configuration: .release))
]

func dependencies(_ names: [String]) -> [Target.Dependency] {
  names.map { .byName(name: $0) }
}

let engineTargets: [Target] =
  engines.map { .target(name: $0.name, path: "Sources/\($0.name)", cSettings: [.define("_GNU_SOURCE")]) } + [
    .systemLibrary(name: "CZlib", path: "Sources/CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
    .systemLibrary(name: "COpenSSL", path: "Sources/COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
  ]

let roomTargets: [Target] = rooms.map { room in
  .target(
    name: room.name,
    dependencies: dependencies(room.imports),
    path: "Sources/\(room.name)",
    exclude: ["README.md"],
    resources: room.name == "Edge" ? [.embedInCode("Web")] : [],
    swiftSettings: strict + release)
}

/// What a module's tests import beside the module itself.
let testSupport = ["Core", "TestSupport"]

func tests(_ name: String, _ imports: [String], exclude: [String] = []) -> Target {
  .testTarget(
    name: "\(name)Tests",
    dependencies: dependencies(imports + testSupport.filter { !imports.contains($0) }),
    path: "Tests/\(name)",
    exclude: exclude,
    swiftSettings: strict)
}

let testTargets: [Target] =
  [
    .target(name: "TestSupport", dependencies: ["Core"], path: "Tests/TestSupport", swiftSettings: strict),
    tests("Core", ["Core"]),
    tests("JSON", ["JSON"]),
    tests("HTTP", ["HTTP"]),
    tests("SSE", ["SSE"]),
    tests("WebSocket", ["WebSocket", "HTTP"]),
    tests("MQTT", ["MQTT"]),
    tests("Security", ["Security"]),
    tests("Feeds", ["Feeds"]),
    tests("Sessions", ["Sessions", "MQTT", "Feeds"]),
    tests("Gossip", ["Gossip"]),
    tests("Sealing", ["Sealing", "Gossip"]),
    tests("Placement", ["Placement"]),
    tests("Journal", ["Journal"]),
    tests("Raft", ["Raft"], exclude: ["Scenarios"]),
    tests("Shard", ["Shard", "Feeds"]),
    tests("Presence", ["Presence", "Feeds"]),
    tests("Replica", ["Replica", "Journal", "Shard", "Feeds"]),
    tests("Wire", ["Wire", "Feeds", "Raft", "Replica", "Placement"]),
    tests("Simulation", ["Simulation"]),
    tests("Reactor", ["Reactor"]),
    tests("Links", ["Links", "Wire", "Feeds", "Placement", "Gossip", "Sealing", "Reactor"]),
    tests("Disks", ["Disks", "Journal"]),
    tests("Edge", ["Edge", "HTTP", "JSON", "MQTT", "WebSocket", "SSE", "Feeds", "Presence", "Security", "Reactor"]),
    tests("Node", ["Node", "Edge", "JSON", "MQTT", "Placement", "Reactor", "Security"]),
    tests("Client", ["Client", "HTTP", "JSON"]),
    tests("Bench", ["Bench", "JSON"]),
    tests("Tidy", []),
  ]

let package = Package(
  name: "tidings",
  products: [.executable(name: "tidings", targets: ["tidings"])],
  targets: engineTargets + roomTargets + [
    .executableTarget(
      name: "tidings",
      dependencies: dependencies(["CLinux", "Core", "JSON", "HTTP", "Reactor", "Node", "Client", "Bench", "Simulation"]),
      path: "Sources/tidings",
      swiftSettings: strict + release)
  ] + testTargets,
  swiftLanguageModes: [.v6]
)
