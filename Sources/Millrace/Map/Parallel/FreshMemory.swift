internal import CMillrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif
import Synchronization

/// A large result's memory, which is about to be written for the first time.
///
/// The first touch of a small page costs the kernel's entry and a page of zeros; with huge pages that is several times cheaper,
/// and it is most of what a cheap map costs. But where the system has none left it makes some, by moving others' memory, and a
/// map then takes several times as long as with small ones. That is seen only when they are touched. So each block is asked
/// for when a lane comes to it, and the first that takes too long is the last.
@usableFromInline
final class FreshMemory: Sendable {
  /// Bytes from which it is worth asking for huge pages: a result as large as this has just come from the system.
  static let threshold = Int(MILLRACE_HOLDS_HUGE_PAGE)
  static let hugePage = Int(MILLRACE_HUGE_PAGE)
  /// Nanoseconds of a CPU: a huge page that is there takes 0.3 to 0.5 ms, as much in small pages 0.8 to 1, and a huge page that
  /// has to be made 1 and more.
  static let patience: UInt64 = 700_000

  private let start: UInt
  private let end: UInt
  private let isWorthIt = Atomic(true)
  private let now: @Sendable () -> UInt64

  /// Nil if the buffer is too small for it.
  @usableFromInline
  convenience init?(_ buffer: UnsafeMutableRawBufferPointer) { self.init(buffer, now: Self.cpuTime) }

  init?(_ buffer: UnsafeMutableRawBufferPointer, now: @escaping @Sendable () -> UInt64) {
    #if os(Linux)
    guard buffer.count >= Self.threshold, let base = buffer.baseAddress else { return nil }
    start = UInt(bitPattern: base)
    end = start + UInt(buffer.count)
    self.now = now
    #else
    return nil
    #endif
  }

  /// The time of the calling thread, for on a busy machine it does not run all the time.
  @Sendable
  private static func cpuTime() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  /// Whether huge pages are still asked for.
  var asksForHugePages: Bool { isWorthIt.load(ordering: .relaxed) }

  /// The caller is about to write the bytes at these offsets, of which none was written yet.
  @usableFromInline
  func prepare(_ lower: Int, _ upper: Int) {
    #if os(Linux)
    let huge = UInt(Self.hugePage)
    let limit = start + UInt(upper)
    // A block belongs to the lane that writes its first byte.
    var block = (start + UInt(lower) + huge - 1) & ~(huge - 1)
    while block < limit, block + huge <= end, isWorthIt.load(ordering: .relaxed) {
      guard let address = UnsafeMutableRawPointer(bitPattern: block) else { return }
      let begun = now()
      // A kernel without them says so; then there are small pages, as without the advice.
      guard madvise(address, Self.hugePage, MADV_HUGEPAGE) == 0 else { break }
      address.storeBytes(of: 0, as: UInt8.self)
      if now() - begun > Self.patience { isWorthIt.store(false, ordering: .relaxed) }
      block += huge
    }
    #endif
  }
}
