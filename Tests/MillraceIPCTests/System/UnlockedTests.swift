import MillraceIPC
import Testing

/// What is let go of under a lock, and when it goes.
@Suite struct UnlockedTests {
  private final class Guest {
    let leave: () -> Void
    init(_ leave: @escaping () -> Void) { self.leave = leave }
    deinit { leave() }
  }

  @Test("U8: what is released under locks goes when the last is released, the first first")
  func order() {
    var gone: [Int] = []
    let outer = Lock(0)
    let inner = Lock(0)
    outer.withLock { _ in
      for number in 1...3 {
        var guest: Guest? = Guest { gone.append(Unlocked.isSo ? number : -number) }
        inner.withLock { _ in
          Unlocked.release(guest)
          guest = nil
        }
      }
      #expect(gone.isEmpty && !Unlocked.isSo)
    }
    #expect(gone == [1, 2, 3] && Unlocked.isSo)
    outer.withLock { $0 += 1 }
    #expect(gone == [1, 2, 3])
  }

  @Test("U8: what goes may take the lock, and let go of more under it")
  func again() {
    var gone: [String] = []
    let lock = Lock(0)
    lock.withLock { _ in
      Unlocked.later {
        gone.append("first")
        lock.withLock { _ in Unlocked.later { gone.append("second") } }
      }
    }
    #expect(gone == ["first", "second"])
  }

  #if DEBUG
  @Test("U8: a debug build traps where code of a user's is entered with a lock held")
  func trap() async {
    await #expect(processExitsWith: .failure) {
      Lock(0).withLock { _ in Unlocked.expect("a closure") }
    }
    await #expect(processExitsWith: .success) {
      Lock(0).withLock { _ in }
      Unlocked.expect("a closure")
    }
  }
  #endif
}
