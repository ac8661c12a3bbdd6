import Glibc
import MillraceIPC
import MillraceTesting
import Testing

/// Starting workers in three ways.
@Suite(.forks, .timeLimit(.minutes(1)))
struct LaunchTests {
  private enum Echo: WorkerMain {
    static func run(control: consuming ControlSocket) -> Int32 {
      while case .message(let message)? = try? control.receive() {
        let text = String(decoding: message.bytes, as: UTF8.self)
        if let code = Int32(text) { return code }
        do { try control.send("echo \(text)") } catch { return 1 }
      }
      return 2
    }
  }

  @Test(arguments: StartMethod.allCases)
  func echoesAndExitsWithItsCode(method: StartMethod) throws {
    let worker = try TestWorker(Echo.self, by: method)
    try worker.control.send("one")
    #expect(try worker.receive() == "echo one")
    try worker.control.send("two")
    #expect(try worker.receive() == "echo two")
    #expect(!worker.child.hasEnded)
    try worker.control.send("42")
    let exit = try worker.waitForEnd()
    #expect(exit.reason == .exited(code: 42))
    #expect(exit.peakResidentBytes > 1 << 20)
    #expect(worker.child.hasEnded)
    #expect(try worker.receive() == nil)
  }

  /// Two threads want the same global for the first time, and one of them has to wait for the other.
  private enum Racer: WorkerMain {
    private static let isBegun = Flag()
    private static let isWanted = Flag()
    private static let slow: Int32 = {
      isBegun.set()
      while !isWanted.isSet { usleep(100) }
      usleep(50_000)
      return 7
    }()

    static func run(control: consuming ControlSocket) -> Int32 {
      alarm(20)  // the fault that this looks for is a thread that tries again for ever
      let other = BareThread {
        while !isBegun.isSet { usleep(100) }
        isWanted.set()
        _ = slow
      }
      let own = slow
      other.join()
      return own
    }
  }

  @Test(arguments: StartMethod.allCases)
  func twoThreadsMayWantTheSameAtOnce(method: StartMethod) throws {
    #expect(try TestWorker(Racer.self, by: method).waitForEnd().reason == .exited(code: 7))
  }
}
