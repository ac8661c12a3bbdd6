import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A thread as the crew knows it: one of the crew's own, or a caller of a parallel operation.
///
/// It can sleep and be woken.
///
/// `@unchecked Sendable`: `job` and `isCrew` are touched by the thread itself only, `depth` under the crew's lock.
final class CrewMember: @unchecked Sendable {
  /// The call whose piece the thread is running, innermost; nested calls descend from it.
  var job: ParallelJob?
  /// How many parallel calls or roots the thread is inside of; above 0 it counts as busy.
  var depth = 0
  /// Whether the thread is one of the crew's own.
  var isCrew = false

  private let bell = Bell()

  /// Sleeps until somebody has called ``wake()`` since the last time.
  ///
  /// This is where an idle crew is found by a profiler.
  @inline(never)
  func waitForWork() { bell.waitForWork() }

  func wake() { bell.ring() }

  /// The calling thread, made known on first use and forgotten when it ends.
  static var current: CrewMember {
    if let known = pthread_getspecific(key) {
      return Unmanaged<CrewMember>.fromOpaque(known).takeUnretainedValue()
    }
    let member = CrewMember()
    pthread_setspecific(key, Unmanaged.passRetained(member).toOpaque())
    return member
  }

  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    let failure = pthread_key_create(&key) { member in
      #if canImport(Darwin)
      Unmanaged<CrewMember>.fromOpaque(member).release()
      #else
      if let member { Unmanaged<CrewMember>.fromOpaque(member).release() }
      #endif
    }
    precondition(failure == 0, "no thread-local storage left (error \(failure))")
    return key
  }()
}
