/// What the Swift runtime does once in a process is done here while there is one thread.
///
/// Its `once` is a futex that holds the thread's number, which each thread remembers. The first thread of a forked process
/// remembers that of the thread that forked: as long as nobody else wants the same `once` at the same moment this does not matter,
/// but if a lane does, the kernel refuses both, and both try again for ever. The types that all code uses are where they would meet.
enum FirstUse {
  static func ofStandardTypes() {
    let types: [Any.Type] = [
      [Int].self, ContiguousArray<Int>.self, ArraySlice<Int>.self, [Int: Int].self, Set<Int>.self, Int?.self,
      Range<Int>.self,
      UnsafePointer<Int>.self, UnsafeMutablePointer<Int>.self, UnsafeBufferPointer<Int>.self,
      UnsafeMutableBufferPointer<Int>.self,
    ]
    for type in types { _ = _mangledTypeName(type).flatMap(_typeByName) }
  }
}
