import Millrace

#if canImport(Glibc)
import Glibc
#endif

extension AcceptanceProgram {
  /// Items that call `fork` and return in both processes: what is delivered, how each copy ended, and how many items they ran.
  static func copied(_ backend: WorkerPool.Backend, _ place: String) async throws {
    let original = getpid()
    try await withWorkerPool(backend) { pool in
      let worker = Copied(original: original, place: place)
      let outputs = try await pool.map(0..<8, with: worker, options: MapOptions(chunking: .size(4)))
      say(outputs.joined(separator: " "))
    }
    say("over")
  }

  /// Zero in a copy of the process, or else how that ended. Glibc's own name of it is kept from Swift.
  static func split() -> Int32 {
    typealias Fork = @convention(c) () -> pid_t
    let fork = unsafeBitCast(dlsym(nil, "fork"), to: Fork.self)
    let child = fork()
    if child == 0 { return 0 }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    return status >> 8 & 0xff
  }
}

private struct Copied: Worker {
  var original: pid_t
  var place: String

  func setUp(_ context: WorkerContext) -> Int32 { place == "setUp" ? AcceptanceProgram.split() : 74 }

  func process(_ item: Int, state: inout Int32) throws -> String {
    if getpid() != original { AcceptanceProgram.say("item \(item) runs in a copy") }
    switch place {
    case "item" where item % 4 == 0: return "\(AcceptanceProgram.split())"
    case "throws" where item == 0: if AcceptanceProgram.split() == 0 { throw Copy() }
    // What has become another program, or has ended itself, is none of ours.
    case "ends" where item == 0:
      typealias Fork = @convention(c) () -> pid_t
      let child = unsafeBitCast(dlsym(nil, "fork"), to: Fork.self)()
      if child == 0 { _exit(7) }
      var status: Int32 = 0
      while waitpid(child, &status, 0) < 0 && errno == EINTR {}
      return "\(status >> 8)"
    default: break
    }
    return "\(state)"
  }

  func tearDown(_ state: Int32) { if place == "tearDown" { _ = AcceptanceProgram.split() } }
}

private struct Copy: Error {}
