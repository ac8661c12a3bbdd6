internal import CMillrace

/// How the other side of a ring is woken, if it said that it sleeps.
///
/// Each direction of a ring has a word that is 0 while its sleeper is awake, and otherwise how many bytes it wants:
/// `dataWanted` (set by the reader, always 1) and `spaceWanted` (set by the writer).
///
/// **No wake-up is lost.** The two sides do, in this order,
///
/// ```
///   sleeper                               waker
///   S1  word = wanted                     W1  index = new value   (release)
///   S2  full fence                        W2  full fence
///   S3  look at the index: enough? stay   W3  look at the word: 0? done
///   S4  sleep                             W4  exchange the word to 0; if it was not 0, wake
/// ```
///
/// This is Dekker's pattern: the two fences stand in one total order. If S2 is first, W3 sees the word that S1 stored,
/// and W4 wakes. If W2 is first, S3 sees the index that W1 stored, and the sleeper stays. They cannot both miss.
/// The step from S3 to S4 is safe as well: a futex sleeps only if its word is still `wanted`, and after W4 it is not; an
/// event descriptor remembers that it was rung. Whoever finds data in S3 stores 0 again; if a waker was between W3 and W4
/// then, the sleeper is woken once for nothing, or its next S1 is undone and it is woken at once, so every sleeper
/// looks again in a loop. `Lane.close` is one more waker, whose W1 stores the `closed` flag, which S3 looks at too.
/// A waker whose condition is not met yet (less space than is wanted) leaves the word as it is, and looks again at its
/// next step.
package enum Doorbell: Sendable {
  /// The other side sleeps on the lane's word.
  case futex

  /// The other side sleeps on this event descriptor, together with much else; it must stay open while the end is used.
  ///
  /// The user's code runs beside it and may close it. So it is known by its kind too, and a process that cannot ring it any
  /// more ends: what it has to say would not be heard, and the other side would wait for ever.
  case descriptor(Int32, kind: UInt64)

  package static func event(_ descriptor: Int32) -> Doorbell {
    .descriptor(descriptor, kind: millrace_fd_kind(descriptor))
  }

  /// The descriptor's number; -1 if it is none.
  package var number: Int32 { if case .descriptor(let descriptor, _) = self { descriptor } else { -1 } }

  /// Whether it could be rung.
  package var isOpen: Bool {
    switch self {
    case .futex: true
    case .descriptor(let descriptor, let kind): kind != 0 && millrace_fd_kind(descriptor) == kind
    }
  }

  /// Nanoseconds that a worker looks before it sleeps; a wake-up takes some 25 µs.
  ///
  /// 0 where the other side needs this CPU.
  package static let defaultSpin: UInt64 = millrace_program_cpus() > 1 ? 5_000 : 0

  /// The word was found to be set: W4.
  @inline(never) @usableFromInline
  func wake(_ word: UnsafeMutablePointer<UInt32>) {
    guard millrace_exchange_u32(word, 0) != 0 else { return }
    switch self {
    case .futex: millrace_futex_wake(word)
    case .descriptor(let descriptor, let kind):
      guard millrace_bell_ring_own(descriptor, kind) != 0 else { return }
      millrace_worker_lost("it cannot ring for the pool any more: its descriptors were closed")
    }
  }
}

/// How a wait ended.
package enum WaitResult: Sendable {
  /// There is what was waited for.
  case ready

  /// The lane was closed, and there is not.
  case closed

  /// The deadline passed.
  case timedOut
}

/// The words of one ring in the header page.
@usableFromInline
struct RingWords {
  /// Where the writer is: all bytes before it are committed.
  ///
  /// Only ever grows.
  @usableFromInline let head: UnsafeMutablePointer<UInt64>

  /// Up to where the bytes of a frame that is not committed yet are valid; behind `head` when there is none.
  @usableFromInline let openEnd: UnsafeMutablePointer<UInt64>

  /// Where the reader is: all bytes before it may be overwritten.
  ///
  /// Only ever grows.
  let tail: UnsafeMutablePointer<UInt64>

  let dataWanted: UnsafeMutablePointer<UInt32>
  let spaceWanted: UnsafeMutablePointer<UInt32>
  let closed: UnsafeMutablePointer<UInt32>

  /// Waits until `isReady`, spinning for `spin` nanoseconds first.
  ///
  /// The word is set to `wanted` while asleep.
  @inline(never)
  func sleep(
    on word: UnsafeMutablePointer<UInt32>, wanting wanted: UInt32, spin: UInt64, until deadline: UInt64,
    isReady: () throws(ProtocolError) -> Bool
  ) throws(ProtocolError) -> WaitResult {
    if spin > 0 {
      let end = min(MonotonicTime.now &+ spin, deadline)
      repeat {
        for _ in 0..<16 {
          if try isReady() { return .ready }
          millrace_spin_hint()
        }
      } while MonotonicTime.now < end
    }
    while true {
      millrace_store_relaxed_u32(word, wanted)
      millrace_fence()
      // 0 again on every way out, so that nobody rings for one who is awake.
      do throws(ProtocolError) {
        if try isReady() { return awake(word, .ready) }
      } catch {
        _ = awake(word, .ready)
        throw error
      }
      if millrace_load_relaxed_u32(closed) != 0 { return awake(word, .closed) }
      if waitForBell(word, wanted, deadline) { continue }
      return awake(word, try isReady() ? .ready : .timedOut)
    }
  }

  private func awake(_ word: UnsafeMutablePointer<UInt32>, _ result: WaitResult) -> WaitResult {
    millrace_store_relaxed_u32(word, 0)
    return result
  }

  /// Asleep; a frame of its own, so that a profiler can filter it.
  ///
  /// False when the deadline passed.
  @inline(never)
  private func waitForBell(_ word: UnsafeMutablePointer<UInt32>, _ wanted: UInt32, _ deadline: UInt64) -> Bool {
    millrace_futex_wait(word, wanted, deadline) == 0
  }
}
