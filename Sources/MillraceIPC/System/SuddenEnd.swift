#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Notices that code of a user's ends a thread of ours (`pthread_exit`): nothing on it returns then, and nobody else hears of it.
enum SuddenEnd {
  private final class Watch {
    let tell: @Sendable () -> Void
    init(_ tell: @escaping @Sendable () -> Void) { self.tell = tell }
  }

  /// What the C library calls at the end of each thread that has a value for it.
  private static let key: pthread_key_t = {
    var key = pthread_key_t()
    pthread_key_create(&key) { watch in
      let place: UnsafeMutableRawPointer? = watch
      if let place { Unmanaged<Watch>.fromOpaque(place).takeRetainedValue().tell() }
    }
    return key
  }()

  /// Runs `body` on the calling thread, which is ours; calls `tell` if the thread ends in it.
  static func watch(_ body: () -> Void, _ tell: @escaping @Sendable () -> Void) {
    let watch = Unmanaged.passRetained(Watch(tell))
    pthread_setspecific(key, watch.toOpaque())
    body()
    pthread_setspecific(key, nil)
    watch.release()
  }
}
