internal import CMillrace

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// What the memory of a shared object begins with.
///
/// ```
///   0  magic      UInt64
///   8  id         2 × UInt64
///  24  signature  UInt64
///  32  hasLock    UInt32
///  36  isPoisoned UInt32   atomic
///  64  lock       pthread_mutex_t
/// 128  words      16 × UInt64, of the kind of object
/// 256  content
/// ```
///
/// Nothing but the lock and the words is read after the memory was mapped: whoever else has it may write over all of it.
package struct SharedHeader: @unchecked Sendable {
  // Sound: only where it is. The words are atomics, or guarded by the lock.
  package static let size = 256
  private static let magic: UInt64 = 0x6465_7261_6873_726d
  private static let lockOffset = 64
  private static let wordsOffset = 128

  let base: UnsafeMutableRawPointer

  func begin(_ token: SharedToken, hasLock: Bool) throws(MemoryError) {
    base.storeBytes(of: token.id.high, toByteOffset: 8, as: UInt64.self)
    base.storeBytes(of: token.id.low, toByteOffset: 16, as: UInt64.self)
    base.storeBytes(of: token.signature, toByteOffset: 24, as: UInt64.self)
    if hasLock {
      precondition(MemoryLayout<pthread_mutex_t>.size <= Self.wordsOffset - Self.lockOffset)
      let error = millrace_robust_init(mutex)
      guard error == 0 else { throw MemoryError("a lock between processes", code: error) }
      base.storeBytes(of: 1, toByteOffset: 32, as: UInt32.self)
    }
    base.storeBytes(of: Self.magic, as: UInt64.self)
  }

  func isOf(_ token: SharedToken) -> Bool {
    base.load(as: UInt64.self) == Self.magic && base.load(fromByteOffset: 8, as: UInt64.self) == token.id.high
      && base.load(fromByteOffset: 16, as: UInt64.self) == token.id.low
      && base.load(fromByteOffset: 24, as: UInt64.self) == token.signature
  }

  package var hasLock: Bool { base.load(fromByteOffset: 32, as: UInt32.self) != 0 }

  /// A word of the kind's own.
  package func word(_ index: Int) -> UnsafeMutablePointer<UInt64> {
    (base + Self.wordsOffset + 8 * index).assumingMemoryBound(to: UInt64.self)
  }

  // MARK: The lock

  private var mutex: UnsafeMutablePointer<pthread_mutex_t> {
    (base + Self.lockOffset).assumingMemoryBound(to: pthread_mutex_t.self)
  }

  private var poison: UnsafeMutablePointer<UInt32> { (base + 36).assumingMemoryBound(to: UInt32.self) }

  /// A holder of the lock has died in it, and nobody has said that the content is right again.
  package var isPoisoned: Bool {
    get { millrace_load_acquire_u32(poison) != 0 }
    nonmutating set { millrace_store_release_u32(poison, newValue ? 1 : 0) }
  }

  /// Takes the lock; waits for it. Whether the thread that had it has died with it: the kernel tells the next one.
  package func lock() -> Bool {
    switch Int(millrace_robust_lock(mutex)) {
    case MILLRACE_ROBUST_TAKEN: return false
    case MILLRACE_ROBUST_INHERITED: return true
    case MILLRACE_ROBUST_OWN: preconditionFailure("a shared object was locked by a thread that has it locked already")
    default: preconditionFailure("the lock of a shared object was overwritten")
    }
  }

  package func unlock() { millrace_robust_unlock(mutex) }
}
