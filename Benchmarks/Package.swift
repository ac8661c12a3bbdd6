// swift-tools-version: 6.2
import PackageDescription

// `scripts/test` sets it.
let isStrict = Context.environment["MILLRACE_STRICT"] != nil

let swiftSettings: [SwiftSetting] =
  [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
  ] + (isStrict ? [.treatAllWarnings(as: .error)] : [])

let package = Package(
  name: "millrace-benchmarks",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "millrace-bench", targets: ["MillraceBench"]),
    .executable(name: "peer-dispatch", targets: ["DispatchPeer"]),
    .executable(name: "peer-taskgroup", targets: ["TaskGroupPeer"]),
  ],
  dependencies: [
    // The library alone, as its users have it: without the command, and so without the argument parser.
    .package(name: "millrace", path: "..", traits: [])
  ],
  targets: [
    .target(name: "Kernel", swiftSettings: swiftSettings),
    .target(name: "Contract", swiftSettings: swiftSettings),
    .executableTarget(
      name: "MillraceBench",
      dependencies: ["Contract", "Kernel", .product(name: "Millrace", package: "millrace")],
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "DispatchPeer", dependencies: ["Contract", "Kernel"], path: "peers/swift/Dispatch",
      swiftSettings: swiftSettings),
    .executableTarget(
      name: "TaskGroupPeer", dependencies: ["Contract", "Kernel"], path: "peers/swift/TaskGroup",
      swiftSettings: swiftSettings),
  ],
  swiftLanguageModes: [.v6]
)
