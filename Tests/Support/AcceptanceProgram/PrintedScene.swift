import Millrace

#if canImport(Glibc)
import Glibc
#endif

extension AcceptanceProgram {
  /// What pipelines print, each behind a line that says what comes.
  static func printed(_ backend: WorkerPool.Backend) async throws {
    try await withWorkerPool(backend) { pool in
      say("X1")
      try await Pipeline { Items(1...3) }.print("item ").stamp().stamp("no.").run(on: pool)
      fflush(nil)
      say("X3")
      let side: Pipeline<Nothing, Int> = Pipeline {
        Items(1...5)
        AnyOf {
          Print("A ")
          Print("B ")
        }
      }
      try await side.run(on: pool)
      fflush(nil)
      say("X4")
      let both: Pipeline<Nothing, Int> = Pipeline {
        Items(1...5)
        Broadcast {
          Print("A ")
          Print("B ")
        }
      }
      try await both.run(on: pool)
      fflush(nil)
    }
    say("end")
  }

  /// What becomes of pipelines that print where nothing can be printed.
  static func printsNowhere(_ backend: WorkerPool.Backend, isClosed: Bool) async throws {
    let kept = fcntl(1, F_DUPFD_CLOEXEC, 3)
    if isClosed {
      // Its number stays taken: it can be read from only.
      dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 1)
    } else {
      dup2(open("/dev/full", O_WRONLY | O_CLOEXEC), 1)
    }
    func tell(_ name: String, _ body: () async throws -> Void) async {
      var line = "\(name): "
      do {
        try await body()
        line += "nothing was thrown"
      } catch {
        line +=
          "\(type(of: error)) \((error as? PipelineError)?.underlying ?? (error as? ItemFailure)?.underlying ?? error)"
      }
      line += "\n"
      _ = line.withCString { write(kept, $0, strlen($0)) }
    }
    try await withWorkerPool(backend) { pool in
      // What is found at the end, and what is found long before it.
      for count in [3, 50_000] {
        await tell("Print \(count)") { try await Pipeline { Items(0..<count) }.print().run(on: pool) }
        await tell("Stamp \(count)") { try await Pipeline { Items(0..<count) }.stamp().run(on: pool) }
      }
    }
  }
}
