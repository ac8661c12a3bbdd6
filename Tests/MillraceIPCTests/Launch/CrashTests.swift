import Glibc
import MillraceIPC
import MillraceTesting
import Testing

/// What workers leave behind when they crash.
@Suite(.forks, .timeLimit(.minutes(1)))
struct CrashTests {
  /// Dies as it is told, on a thread whose record lies in shared memory that came with the order.
  private enum Victim: WorkerMain {
    static func run(control: consuming ControlSocket) -> Int32 {
      guard case .message(var message)? = try? control.receive(), let memory = message.takeDescriptor(),
        let record = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory.rawValue, 0), record != MAP_FAILED,
        (try? CrashReport.arm(at: record)) != nil
      else { return 1 }
      switch String(decoding: message.bytes, as: UTF8.self) {
      case "trap": return victimTrap(at: message.bytes.count)
      case "fatal": fatalError("this item is poison")
      case "overflow": return Int32(truncatingIfNeeded: victimRecursion(1))
      case "abort": abort()
      case "null": return UnsafePointer<Int32>(bitPattern: 64 + message.bytes.count)!.pointee
      case "exit": exit(3)
      case "thread":
        var thread = pthread_t()
        pthread_create(&thread, nil, { _ in fatalError("on a bare thread") }, nil)
        pthread_join(thread, nil)
        return 1
      default: return 4
      }
    }
  }

  private struct Death {
    let exit: ProcessExit
    let report: CrashReport?
    let errors: String
  }

  private func kill(_ how: String, by method: StartMethod, backtrace: String? = nil) throws -> Death {
    var path = Array("/tmp/millrace-crash-XXXXXX".utf8CString)
    let memory = Descriptor(owning: mkstemp(&path))
    unlink(path)
    #expect(ftruncate(memory.rawValue, 4096) == 0)
    let mapping: UnsafeMutableRawPointer? = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, memory.rawValue, 0)
    let mapped = try #require(mapping)
    #expect(mapped != MAP_FAILED)
    defer { munmap(mapped, 4096) }
    #expect(CrashReport.recordSize <= 4096)
    let worker = try TestWorker(Victim.self, by: method, backtrace: backtrace)
    try worker.control.send(Array(how.utf8), descriptors: [memory.rawValue])
    let errors = worker.readErrors()
    return Death(exit: try worker.waitForEnd(), report: CrashReport(at: mapped), errors: errors)
  }

  #if arch(x86_64)
  private let trap = SIGILL
  #else
  private let trap = SIGTRAP
  #endif

  private func expectCrash(_ death: Death, _ signal: Int32, isStackOverflow: Bool = false) throws -> CrashReport.Crash {
    guard case .signalled(signal, _) = death.exit.reason, case .crashed(let crash)? = death.report else {
      Issue.record("\(death)")
      throw Unexpected()
    }
    #expect(crash.signal == signal)
    #expect(crash.isStackOverflow == isStackOverflow)
    #expect(crash.thread > 0)
    return crash
  }

  @Test(arguments: StartMethod.allCases)
  func trapLeavesARecordAndItsMessage(method: StartMethod) throws {
    let death = try kill("trap", by: method)
    let crash = try expectCrash(death, trap)
    #expect(crash.sender == 0)
    #expect(death.errors.contains("Index out of range"))
  }

  @Test(.backtraces, arguments: [StartMethod.server, .spawn])
  func fatalErrorComesWithABacktrace(method: StartMethod) throws {
    let death = try kill("fatal", by: method, backtrace: "symbolicate=full")
    _ = try expectCrash(death, trap)
    #expect(death.errors.contains("this item is poison"))
    #expect(death.errors.contains("CrashTests.swift"))
    #expect(death.errors.contains("Victim"), "\(death.errors)")
  }

  @Test(arguments: StartMethod.allCases)
  func stackOverflowIsTold(method: StartMethod) throws {
    _ = try expectCrash(kill("overflow", by: method), SIGSEGV, isStackOverflow: true)
  }

  @Test(arguments: StartMethod.allCases)
  func abortAndBadAddressesAreTold(method: StartMethod) throws {
    let abort = try kill("abort", by: method)
    #expect(try expectCrash(abort, SIGABRT).sender > 0)
    let null = try kill("null", by: method)
    #expect(try expectCrash(null, SIGSEGV).faultAddress == 68)
  }

  @Test(arguments: StartMethod.allCases)
  func exitIsRecordedAndAReturnIsNot(method: StartMethod) throws {
    let exit = try kill("exit", by: method)
    #expect(exit.report == .exited(code: 3))
    #expect(exit.exit.reason == .exited(code: 3))
    let normal = try kill("return", by: method)
    #expect(normal.report == nil)
    #expect(normal.exit.reason == .exited(code: 4))
  }

  @Test func bareThreadsReportToTheFirstRecord() throws {
    let crash = try expectCrash(kill("thread", by: .server), trap)
    #expect(!crash.isStackOverflow)
  }
}

@inline(never)
private func victimTrap(at index: Int) -> Int32 {
  [Int32](repeating: 0, count: 2)[index]
}

@inline(never)
private func victimRecursion(_ number: Int) -> Int {
  guard number != 0 else { return 0 }
  var room = [number, number + 1]
  room[number & 1] = victimRecursion(number &+ 1) &+ 1
  return room[0] &+ room[1]
}
