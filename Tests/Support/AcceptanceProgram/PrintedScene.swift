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
}
