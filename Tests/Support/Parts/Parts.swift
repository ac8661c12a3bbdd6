import Dispatch
import Millrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// `Parts PART N` does one small part of a map N times, for `scripts/parts`, which counts what that takes.
///
/// The difference of two runs is what N times more of it cost, exactly: whatever is done once cancels out. So a part must
/// do the same each time, and depend on nothing but N.
@main
enum Parts {
  /// Does the part so often; returns something that depends on all that was done, so that no compiler leaves it out.
  typealias Part = @Sendable (Int) async throws -> Int

  static let all: [(name: String, run: Part)] =
    CodingParts.all
    + [
      ("ring.frame", { try RingPart.run($0) }),
      ("dispatcher.chunk", { DispatcherPart.run($0, width: 2) }),
      ("dispatcher.chunk_of_64_slots", { DispatcherPart.run($0, width: 64) }),
      ("dispatcher.chunk_observed", { DispatcherPart.run($0, width: 2, isObserved: true) }),
      ("stream.element", PoolParts.streamElement),
      ("stream.element_shown", PoolParts.streamElementShown),
      ("stream.chunk", PoolParts.streamChunk),
      ("start.serial", { try await PoolParts.start($0, .serial) }),
      ("start.threads", { try await PoolParts.start($0, .threads(1)) }),
      ("start.processes", { try await PoolParts.start($0, .processes(1)) }),
    ]

  /// Not `async`: an asynchronous main function gives up its thread to Dispatch in a way that valgrind does not survive.
  static func main() {
    let arguments = CommandLine.arguments
    if arguments.count == 2, arguments[1] == "--list" {
      for part in all { print(part.name) }
      return
    }
    guard arguments.count == 3, let part = all.first(where: { $0.name == arguments[1] }), let times = Int(arguments[2])
    else {
      print("usage: Parts --list | PART N")
      exit(64)
    }
    let isDone = DispatchSemaphore(value: 0)
    Task.detached {
      do {
        print(try await part.run(times))
      } catch {
        print("\(part.name): \(error)")
        exit(1)
      }
      isDone.signal()
    }
    isDone.wait()
  }
}
