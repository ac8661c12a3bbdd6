internal import CMillrace

#if canImport(Glibc)
internal import Glibc
#endif

/// A memory file: pages without a name, gone when the last descriptor and mapping are.
///
/// Owns its descriptor.
///
/// Its size is sealed, so a peer cannot shrink it under us, which would be a SIGBUS at our next touch.
package struct SharedMemory: ~Copyable, Sendable {
  /// Close-on-exec; borrowed: pass it over a socket or duplicate it, but do not close it.
  ///
  /// -1 once it was let go.
  package private(set) var descriptor: Int32

  /// In bytes, a multiple of the page; fixed for good.
  package let size: Int

  /// Pages come when they are touched; see `MemoryMapping.populate`.
  package init(size: Int, name: String = "millrace") throws(MemoryError) {
    let size = Self.roundedToPage(size)
    let descriptor = millrace_memory_create(name, size)
    guard descriptor >= 0 else { throw MemoryError("memfd_create of \(size) bytes", code: errno) }
    self.descriptor = descriptor
    self.size = size
  }

  /// Takes what a peer made; the descriptor is owned from here on, also when this throws.
  ///
  /// Throws `EPERM` for a file that its maker could shrink, `EINVAL` for something else than a memory file.
  package init(adopting descriptor: Int32) throws(MemoryError) {
    let size = millrace_memory_sealed_size(descriptor)
    guard size >= 0 else {
      let code = errno
      millrace_fd_close(descriptor)
      throw MemoryError("adopting shared memory", code: code)
    }
    self.descriptor = descriptor
    self.size = Int(size)
  }

  /// Closes the descriptor before its time: the mappings keep the memory.
  package mutating func letGo() {
    millrace_fd_close(descriptor)
    descriptor = -1
  }

  /// Gives the descriptor away, to be closed by whoever has it now.
  consuming func takeDescriptor() -> Int32 {
    let taken = descriptor
    discard self
    return taken
  }

  deinit { millrace_fd_close(descriptor) }

  /// Bytes of it that take up memory: a peer may make it as large as it likes, and write to none of it.
  var presentBytes: Int { Int(clamping: millrace_memory_present(descriptor)) }

  /// Maps the bytes from `offset` (a multiple of the page), all or `size` of them.
  package func map(
    offset: Int = 0, size: Int? = nil, writable: Bool = true
  ) throws(MemoryError) -> MemoryMapping {
    try MemoryMapping(descriptor: descriptor, offset: offset, size: size ?? (self.size - offset), writable: writable)
  }

  package static let pageSize = millrace_page_size()

  static func roundedToPage(_ size: Int) -> Int { (max(size, 1) + pageSize - 1) & ~(pageSize - 1) }
}

/// A range of addresses that shows a memory file.
///
/// Unmapped at its end.
///
/// Sendable, because it is only where the memory is; what is done in it is ordered by the rings.
package struct MemoryMapping: ~Copyable, @unchecked Sendable {
  package let base: UnsafeMutableRawPointer
  package let size: Int

  init(descriptor: Int32, offset: Int, size: Int, writable: Bool) throws(MemoryError) {
    guard let base = millrace_memory_map(descriptor, offset, size, writable ? 1 : 0) else {
      throw MemoryError("mapping \(size) bytes", code: errno)
    }
    self.base = base
    self.size = size
  }

  /// A piece of any file, for reading. A fork of this process has it too.
  init(file descriptor: Int32, offset: Int, size: Int) throws(MemoryError) {
    guard let base = millrace_file_map(descriptor, offset, size) else {
      throw MemoryError("mapping \(size) bytes of a file", code: errno)
    }
    self.base = base
    self.size = size
  }

  /// Addresses alone, to map pieces over.
  init(reserving size: Int) throws(MemoryError) {
    guard let base = millrace_memory_reserve(size) else { throw MemoryError("reserving \(size) bytes", code: errno) }
    self.base = base
    self.size = size
  }

  deinit { _ = millrace_memory_unmap(base, size) }

  /// Maps a piece of a memory file, writable, at a place in these addresses.
  func map(_ memory: borrowing SharedMemory, offset: Int, size: Int, at place: Int) throws(MemoryError) {
    precondition(place >= 0 && size >= 0 && place <= self.size - size)
    guard millrace_memory_map_over(base + place, memory.descriptor, offset, size) == 0 else {
      throw MemoryError("mapping \(size) bytes twice", code: errno)
    }
  }

  /// Makes the pages of a range present now, in one call; too little memory is an error then, and not a SIGBUS later.
  ///
  /// `offset` is where the mapping begins in `memory`.
  package func populate(
    _ range: Range<Int>, of memory: borrowing SharedMemory, offset: Int = 0
  ) throws(MemoryError) {
    let lower = range.lowerBound & ~(SharedMemory.pageSize - 1)
    let upper = min(SharedMemory.roundedToPage(range.upperBound), size)
    guard lower < upper else { return }
    guard millrace_memory_populate(base + lower, upper - lower, memory.descriptor, offset + lower) == 0 else {
      throw MemoryError("populating \(upper - lower) bytes of shared memory", code: errno)
    }
  }
}
