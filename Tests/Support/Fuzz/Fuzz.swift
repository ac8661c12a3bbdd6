import Foundation
import Millrace

/// Gives spoiled input to everything that reads what another process wrote, on worker processes of Millrace's own: a trap
/// costs one seed, which is printed with its bytes.
@main
enum Fuzz {
  static func main() async throws {
    var targets = FuzzTargets.all
    var first: UInt64 = 0
    var count: UInt64?
    var seconds: Double?
    var isSerial = false
    var isPrinting = false
    var hex: String?
    var arguments = CommandLine.arguments.dropFirst()
    while let name = arguments.popFirst() {
      if let target = FuzzTargets.named(name) {
        targets = [target]
        continue
      }
      if name == "--serial" {
        isSerial = true
        continue
      }
      if name == "--print" {
        isPrinting = true
        continue
      }
      guard let value = arguments.popFirst() else { usage() }
      switch name {
      case "--seed": first = number(value)
      case "--count": count = number(value)
      case "--seconds": seconds = number(value)
      case "--bytes": hex = value
      default: usage()
      }
    }
    if let hex {
      guard let bytes = FuzzCase.bytes(hex: hex), targets.count == 1 else { usage() }
      say(try FuzzCase(targets[0], bytes: bytes).run() ? "accepted" : "refused")
      return
    }
    var problems = 0
    for target in targets {
      if isPrinting {
        for seed in first..<first + (count ?? 1) {
          say("\(target.name), seed \(seed): \(try FuzzCase(target, seed: seed).hex)")
        }
        continue
      }
      let run = FuzzRun(
        target: target.name, first: first, count: count ?? (seconds == nil ? 10_000 : .max),
        limit: seconds.map { .seconds($0 / Double(targets.count)) })
      let tally = try await isSerial ? run.here() : run.onPool()
      problems += tally.problems.count
    }
    exit(problems == 0 ? 0 : 1)
  }

  private static func number<Number: LosslessStringConvertible>(_ text: String) -> Number {
    guard let number = Number(text) else { usage() }
    return number
  }

  private static func usage() -> Never {
    print(
      """
      usage: Fuzz [TARGET] [--seed S] [--count N] [--seconds T] [--serial | --print] | TARGET --bytes HEX
      targets: \(FuzzTargets.all.map(\.name).joined(separator: ", "))
      """)
    exit(64)
  }
}
