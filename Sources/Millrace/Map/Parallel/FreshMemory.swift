#if canImport(Glibc)
import Glibc
#endif

/// Memory that is about to be written for the first time.
@usableFromInline
enum FreshMemory {
  /// Bytes from which it is worth asking for huge pages: a result as large as this has just come from the system.
  static let threshold = 4 << 20
  static let hugePage = 2 << 20

  /// Asks the system to back the interior of `buffer` with huge pages.
  ///
  /// The first touch of a small page costs the kernel's entry and a page of zeros; with huge pages that is several
  /// times cheaper, and it is most of what a cheap map costs.
  @usableFromInline
  static func prepare(_ buffer: UnsafeMutableRawBufferPointer) {
    #if os(Linux)
    guard buffer.count >= threshold, let start = buffer.baseAddress else { return }
    let aligned = start.alignedUp(toMultipleOf: hugePage)
    let length = (buffer.count - (aligned - start)) & ~(hugePage - 1)
    // A kernel without them says so; then there are small pages, as without the advice.
    if length > 0 { madvise(aligned, length, MADV_HUGEPAGE) }
    #endif
  }
}
