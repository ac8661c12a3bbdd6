// swift-tools-version: 6.2
import PackageDescription

// For those who work on Millrace, not for those who use it: `scripts/test` sets it.
let isStrict = Context.environment["MILLRACE_STRICT"] != nil

let cSettings: [CSetting] = isStrict ? [.enableWarning("all"), .treatAllWarnings(as: .error)] : []
let swiftSettings: [SwiftSetting] =
  [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  ] + (isStrict ? [.treatAllWarnings(as: .error)] : [])

// Programs as users write them, who have set none of that.
let plainSettings: [SwiftSetting] = isStrict ? [.treatAllWarnings(as: .error)] : []

let package = Package(
  name: "millrace",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Millrace", targets: ["Millrace"]),
    .library(name: "MillraceFFmpeg", targets: ["MillraceFFmpeg"]),
    .library(name: "MillraceTesting", targets: ["MillraceTesting"]),
    .library(name: "MillraceCluster", targets: ["MillraceCluster"]),
    .library(name: "MillraceObservability", targets: ["MillraceObservability"]),
    .executable(name: "millrace", targets: ["MillraceCLI"]),
  ],
  traits: [
    .trait(name: "CLI", description: "The command `millrace`; it alone needs swift-argument-parser."),
    .trait(name: "Cluster", description: "The product `MillraceCluster`; it alone needs swift-nio and swift-nio-ssl."),
    .trait(
      name: "Observability",
      description:
        "The product `MillraceObservability`; it alone needs swift-metrics, swift-distributed-tracing and swift-service-lifecycle."
    ),
    // Users say that they want these; whoever works on Millrace builds and tests them with everything else.
    .default(enabledTraits: isStrict ? ["CLI", "Cluster", "Observability"] : ["CLI"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-log", from: "1.11.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.81.0"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.30.0"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
    .package(url: "https://github.com/apple/swift-distributed-tracing", from: "1.3.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
  ],
  targets: [
    .target(name: "CMillrace", cSettings: cSettings),
    .target(name: "MillraceIPC", dependencies: ["CMillrace"], swiftSettings: swiftSettings),
    .target(
      name: "Millrace",
      dependencies: ["CMillrace", "MillraceIPC", .product(name: "Logging", package: "swift-log")],
      swiftSettings: swiftSettings),
    // Videos in pipelines: needs the program ffmpeg when it runs, and nothing else.
    .target(name: "MillraceFFmpeg", dependencies: ["Millrace"], swiftSettings: swiftSettings),
    .target(
      name: "MillraceTesting", dependencies: ["CMillrace", "Millrace", "MillraceIPC"], swiftSettings: swiftSettings),
    .target(
      name: "MillraceCluster",
      dependencies: [
        "CMillrace", "Millrace", "MillraceIPC", .product(name: "Logging", package: "swift-log"),
        .product(name: "NIOCore", package: "swift-nio", condition: .when(traits: ["Cluster"])),
        .product(name: "NIOPosix", package: "swift-nio", condition: .when(traits: ["Cluster"])),
        .product(name: "NIOSSL", package: "swift-nio-ssl", condition: .when(traits: ["Cluster"])),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "MillraceObservability",
      dependencies: [
        "Millrace", "MillraceIPC", .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics", condition: .when(traits: ["Observability"])),
        .product(name: "Tracing", package: "swift-distributed-tracing", condition: .when(traits: ["Observability"])),
        .product(
          name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: .when(traits: ["Observability"])),
      ],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "MillraceCLI",
      dependencies: [
        "CMillrace", "Millrace", "MillraceIPC",
        .product(name: "ArgumentParser", package: "swift-argument-parser", condition: .when(traits: ["CLI"])),
        .product(name: "Logging", package: "swift-log"),
        .target(name: "MillraceCluster", condition: .when(traits: ["Cluster"])),
      ],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "WordCount", dependencies: ["Millrace"], path: "Examples/WordCount", swiftSettings: swiftSettings),
    .executableTarget(
      name: "Scoreboard", dependencies: ["Millrace", .product(name: "Logging", package: "swift-log")],
      path: "Examples/Scoreboard", swiftSettings: swiftSettings),
    .executableTarget(
      name: "Video", dependencies: ["Millrace", "MillraceFFmpeg"], path: "Examples/Video", swiftSettings: swiftSettings),
    .executableTarget(
      name: "LogDigest", dependencies: ["Millrace"], path: "Examples/LogDigest", swiftSettings: swiftSettings),
    .testTarget(
      name: "MillraceFFmpegTests", dependencies: ["Millrace", "MillraceFFmpeg", "MillraceTesting"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "MillraceIPCTests", dependencies: ["CMillrace", "MillraceIPC", "MillraceTesting"],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "Simulate",
      dependencies: ["Millrace", "MillraceTesting", .product(name: "Logging", package: "swift-log")],
      path: "Tests/Support/Simulate", swiftSettings: swiftSettings),
    .executableTarget(
      name: "Soak", dependencies: ["Millrace", "MillraceTesting", "TestSupport"], path: "Tests/Support/Soak",
      swiftSettings: swiftSettings),
    // One small part of a map, so often: what `scripts/parts` counts.
    .executableTarget(
      name: "Parts", dependencies: ["Millrace", "MillraceIPC"], path: "Tests/Support/Parts",
      swiftSettings: swiftSettings),
    // What a cluster on this machine does in a second.
    .executableTarget(
      name: "ClusterMeter", dependencies: ["Millrace", "MillraceCluster", "MillraceIPC"],
      path: "Tests/Support/ClusterMeter",
      swiftSettings: swiftSettings),
    // A program with a map on a cluster, for the cases in which it is killed.
    .executableTarget(
      name: "ClusterProgram", dependencies: ["Millrace", "MillraceCluster"], path: "Tests/Support/ClusterProgram",
      swiftSettings: swiftSettings),
    // Runs on a cluster whose parts are killed at random.
    .executableTarget(
      name: "ClusterSoak", dependencies: ["Millrace", "MillraceCluster", "MillraceTesting", "TestSupport"],
      path: "Tests/Support/ClusterSoak", swiftSettings: swiftSettings),
    // Spoiled input for everything that reads what another process wrote.
    .target(name: "AllocationMeter", path: "Tests/Support/AllocationMeter", cSettings: cSettings),
    .executableTarget(
      name: "Fuzz",
      dependencies: ["AllocationMeter", "Millrace", "MillraceIPC", .product(name: "Logging", package: "swift-log")],
      path: "Tests/Support/Fuzz", swiftSettings: swiftSettings),
    .testTarget(
      name: "FuzzTests", dependencies: ["Fuzz", "Millrace", "MillraceIPC", "MillraceTesting"], exclude: ["Corpus"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "MillraceTests",
      dependencies: [
        "Millrace", "MillraceCluster", "MillraceFFmpeg", "MillraceIPC", "MillraceObservability", "MillraceTesting",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "Metrics", package: "swift-metrics", condition: .when(traits: ["Observability"])),
        .product(name: "Tracing", package: "swift-distributed-tracing", condition: .when(traits: ["Observability"])),
        .product(
          name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: .when(traits: ["Observability"])),
        .product(name: "UnixSignals", package: "swift-service-lifecycle", condition: .when(traits: ["Observability"])),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "MillraceClusterTests",
      dependencies: [
        "ClusterProgram", "Millrace", "MillraceCluster", "MillraceIPC", "MillraceTesting", "TestSupport",
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "MillraceObservabilityTests",
      dependencies: [
        "Millrace", "MillraceIPC", "MillraceObservability", "MillraceTesting", "TestSupport", "ServiceProgram",
        .product(name: "Logging", package: "swift-log"),
        .product(name: "MetricsTestKit", package: "swift-metrics", condition: .when(traits: ["Observability"])),
        .product(
          name: "InMemoryTracing", package: "swift-distributed-tracing", condition: .when(traits: ["Observability"])),
        .product(
          name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: .when(traits: ["Observability"])),
      ],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "MillraceTestingTests", dependencies: ["Millrace", "MillraceIPC", "MillraceTesting"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "MillraceCLITests", dependencies: ["MillraceCLI", "MillraceCluster", "MillraceIPC", "MillraceTesting"],
      swiftSettings: swiftSettings),
    .testTarget(
      name: "Acceptance",
      dependencies: [
        "CMillrace", "Millrace", "MillraceIPC", "MillraceTesting", "TestSupport", "AcceptanceProgram",
        "TopLevelProgram", "MainActorProgram", .product(name: "Logging", package: "swift-log"),
      ],
      exclude: ["Interface"],
      swiftSettings: swiftSettings),
    // The fault battery: each fault under its number, and the mutants that show that the simulator sees faults.
    .testTarget(
      name: "Faults",
      dependencies: [
        "CMillrace", "Millrace", "MillraceIPC", "MillraceTesting", "TestSupport", "AcceptanceProgram", "Soak",
        .product(name: "Logging", package: "swift-log"),
      ],
      exclude: ["Mutants", "README.md"], swiftSettings: swiftSettings),
    .target(
      name: "TestSupport",
      dependencies: [
        "CMillrace", "Millrace", "MillraceCluster", "MillraceIPC", "MillraceTesting",
        .product(name: "Logging", package: "swift-log"),
      ],
      path: "Tests/Support/TestSupport", swiftSettings: swiftSettings),
    // A program that uses Millrace, for the cases in which one is interrupted or killed.
    .executableTarget(
      name: "AcceptanceProgram", dependencies: ["CMillrace", "Initialiser", "Millrace", "MillraceIPC"],
      path: "Tests/Support/AcceptanceProgram",
      swiftSettings: swiftSettings),
    // Programs with closures, and sequences, of the main actor's.
    .executableTarget(
      name: "TopLevelProgram", dependencies: ["Millrace"], path: "Tests/Support/TopLevelProgram",
      swiftSettings: plainSettings),
    .executableTarget(
      name: "MainActorProgram", dependencies: ["Millrace"], path: "Tests/Support/MainActorProgram",
      swiftSettings: plainSettings + [.defaultIsolation(MainActor.self)]),
    // A program whose pool is one of the services of a group, which ends at SIGTERM.
    .executableTarget(
      name: "ServiceProgram",
      dependencies: [
        "Millrace", "MillraceObservability", .product(name: "Logging", package: "swift-log"),
        .product(
          name: "ServiceLifecycle", package: "swift-service-lifecycle", condition: .when(traits: ["Observability"])),
        .product(name: "UnixSignals", package: "swift-service-lifecycle", condition: .when(traits: ["Observability"])),
      ],
      path: "Tests/Support/ServiceProgram", swiftSettings: swiftSettings),
    .target(name: "Initialiser", path: "Tests/Support/Initialiser", cSettings: cSettings),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu11
)
