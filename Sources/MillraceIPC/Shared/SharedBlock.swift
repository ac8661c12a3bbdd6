internal import CMillrace
internal import Synchronization

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// Memory that several processes have in common, as this one has it: mapped once, however often it came here.
///
/// It has no name. The kernel keeps it while anybody has a mapping or a descriptor of it, also one that is on its way.
/// Everything here that may change is guarded by `SharedLock`.
package final class SharedBlock: @unchecked Sendable {
  package let token: SharedToken
  /// The content.
  package let content: UnsafeMutableRawPointer
  private let mapping: MemoryMapping
  /// -1: it was closed, for there are so many of them.
  private let descriptor: Int32
  private let kind: UInt64
  private let isAdopted: Bool
  /// Which workers have it.
  private var holders: [Holder] = []
  private let decoded = Lock<(any Sendable)?>(nil)
  private let others = Lock<[SharedBlock]>([])

  /// A worker that has it, as the process knows it that gave it to it. Copies of that process by fork have nothing to do with it.
  fileprivate struct Holder {
    weak var holder: (any SharedHolder)?
    let forks: UInt32
  }

  /// How many descriptors of what came from elsewhere this process keeps.
  private static let kept = Atomic(0)

  /// New memory, all zero, all there: too little memory is an error here, and no signal later.
  package convenience init(
    _ form: SharedToken.Form = .memory, signature: UInt64, size: Int, hasLock: Bool = false
  ) throws(MemoryError) {
    let token = SharedToken(id: .fresh(), form: form, signature: signature, size: size)
    let memory = try SharedMemory(size: Self.offset(of: form) + size, name: "millrace-shared")
    let mapping = try memory.map()
    millrace_memory_ask_huge(mapping.base, mapping.size)
    try mapping.populate(0..<mapping.size, of: memory)
    if form == .memory { try SharedHeader(base: mapping.base).begin(token, hasLock: hasLock) }
    let content = mapping.base + Self.offset(of: form)
    self.init(token, content, mapping, memory.takeDescriptor(), isAdopted: false)
    SharedRegistry.enter(self)
  }

  /// A piece of a file. `descriptor`: owned from here on, also when this throws.
  package convenience init(
    file descriptor: consuming Descriptor, offset: Int, size: Int, signature: UInt64
  ) throws(MemoryError) {
    let token = SharedToken(id: .fresh(), form: .file, signature: signature, size: size, offset: offset)
    try self.init(file: descriptor.take(), token, isAdopted: false)
    SharedRegistry.enter(self)
  }

  /// What nobody writes, as it is on another machine: the same content in memory of this one.
  fileprivate convenience init(copying token: SharedToken, _ bytes: UnsafeRawBufferPointer) throws(MemoryError) {
    let memory = try SharedMemory(size: token.size, name: "millrace-shared")
    let mapping = try memory.map()
    millrace_memory_ask_huge(mapping.base, mapping.size)
    try mapping.populate(0..<mapping.size, of: memory)
    if let start = bytes.baseAddress { mapping.base.copyMemory(from: start, byteCount: token.size) }
    self.init(token, mapping.base, mapping, memory.takeDescriptor(), isAdopted: false)
  }

  private convenience init(file descriptor: Int32, _ token: SharedToken, isAdopted: Bool) throws(MemoryError) {
    let start = token.offset & ~(SharedMemory.pageSize - 1)
    let mapping: MemoryMapping
    do throws(MemoryError) {
      mapping = try MemoryMapping(file: descriptor, offset: start, size: token.offset - start + token.size)
    } catch {
      millrace_fd_close(descriptor)
      throw error
    }
    let content = mapping.base + (token.offset - start)
    self.init(token, content, mapping, descriptor, isAdopted: isAdopted)
  }

  /// What another process has made. The descriptor is owned from here on, also when this throws.
  convenience init(adopting token: SharedToken, _ descriptor: Int32) throws {
    if token.form == .file {
      try self.init(file: descriptor, token, isAdopted: true)
      return
    }
    let memory = try SharedMemory(adopting: descriptor)
    let offset = Self.offset(of: token.form)
    guard token.size <= memory.size - offset else {
      throw SharedMissing(description: "\(memory.size) bytes of memory for an object of \(token.size)")
    }
    // Holes would have this process find room for what is not there, or die of a signal.
    guard memory.presentBytes >= offset + token.size else {
      throw SharedMissing(description: "\(token.size) bytes of memory of which \(memory.presentBytes) are there")
    }
    let mapping = try memory.map(writable: token.form == .memory)
    guard token.form != .memory || SharedHeader(base: mapping.base).isOf(token) else {
      throw SharedMissing(description: "memory that is another object's")
    }
    let content = mapping.base + offset
    self.init(token, content, mapping, memory.takeDescriptor(), isAdopted: true)
  }

  private init(
    _ token: SharedToken, _ content: UnsafeMutableRawPointer, _ mapping: consuming MemoryMapping, _ descriptor: Int32,
    isAdopted: Bool
  ) {
    // Closures have what they captured, in forked workers too.
    millrace_memory_keep_in_forks(mapping.base, mapping.size)
    self.token = token
    self.content = content
    self.mapping = mapping
    var descriptor = descriptor
    // Who only has it, and passes it on to nobody, needs none; who has few of them may keep them for that.
    if isAdopted {
      let number = Self.kept.add(1, ordering: .relaxed).newValue
      if number > Self.mostKept || millrace_fd_are_few(descriptor) != 0 {
        Self.kept.subtract(1, ordering: .relaxed)
        millrace_fd_close(descriptor)
        descriptor = -1
      }
    }
    self.isAdopted = isAdopted && descriptor >= 0
    self.descriptor = descriptor
    kind = millrace_fd_kind(descriptor)
    millrace_fd_keep(descriptor)
  }

  deinit {
    let holders = SharedRegistry.leave(self)
    for holder in holders where holder.forks == millrace_fork_count() { holder.holder?.forget(token.id) }
    if isAdopted { Self.kept.subtract(1, ordering: .relaxed) }
    // Code of the user's may have closed it, and have something else by its number.
    if descriptor >= 0, millrace_fd_kind(descriptor) == kind { millrace_fd_close(descriptor) }
  }

  private static func offset(of form: SharedToken.Form) -> Int { form == .memory ? SharedHeader.size : 0 }

  private static let mostKept: Int = {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    return Int(clamping: min(limit.rlim_cur, 65_536)) / 4
  }()

  /// Only of those whose form has one.
  package var header: SharedHeader { SharedHeader(base: mapping.base) }

  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: content, count: token.size) }

  // MARK: Passing it on

  /// What is to be sent along; borrowed. Throws if it cannot be had.
  package func descriptorToSend() throws -> Int32 {
    guard descriptor >= 0 else {
      throw SharedMissing(
        description:
          "it came from another process when this one had too many open files already to keep one for it, so it cannot be passed on"
      )
    }
    guard millrace_fd_kind(descriptor) == kind else {
      throw SharedMissing(description: "something in this process has closed its descriptor")
    }
    return descriptor
  }

  /// Notes that a worker has it, which is told when nobody here has it any more.
  package func isHeld(by holder: any SharedHolder) {
    SharedLock.with { holders.append(Holder(holder: holder, forks: millrace_fork_count())) }
  }

  /// Whoever has it has this one, which is here in its place.
  fileprivate func inherits(_ holders: [Holder]) { self.holders += holders }

  fileprivate func takeHolders() -> [Holder] {
    defer { holders = [] }
    return holders
  }

  /// The objects that its content names: they go wherever it goes.
  package var companions: [SharedBlock] {
    get { others.withLock { $0 } }
    set { others.withLock { $0 = newValue } }
  }

  // MARK: What its content says

  /// What `decode` makes of it, once in this process, whoever asks.
  package func decoded<Value: Sendable>(as type: Value.Type, _ decode: (UnsafeRawBufferPointer) throws -> Value)
    rethrows -> Value
  {
    if let value = decoded.withLock({ $0 }) as? Value { return value }
    // Not under the lock: it is the user's code. Of two that come at once, the first one's counts.
    let value = try decode(bytes)
    let (kept, late) = decoded.withLock { known -> (any Sendable, any Sendable) in
      if let known { return (known, value) }
      known = value
      return (value, value)
    }
    withExtendedLifetime(late) {}
    return kept as? Value ?? value
  }
}

/// A worker that was given shared objects.
package protocol SharedHolder: AnyObject, Sendable {
  /// Nobody here has the object any more. From any thread, with no lock held; does not wait.
  func forget(_ id: SharedID)
}

/// Guards what is known of shared objects. Held over a fork, so that the copy finds all of it whole.
///
/// No other lock is taken under it, and nothing is let go of.
package enum SharedLock {
  @inline(__always)
  package static func with<R>(_ body: () throws -> R) rethrows -> R {
    millrace_shared_lock()
    defer { millrace_shared_unlock() }
    return try body()
  }
}

/// The shared objects that this process has.
package enum SharedRegistry {
  /// An object: a weak reference within an optional structure is not read right by every compiler.
  private final class Entry {
    private(set) weak var block: SharedBlock?
    let identity: ObjectIdentifier

    init(_ block: SharedBlock) {
      self.block = block
      identity = ObjectIdentifier(block)
    }
  }

  // Sound: under the lock only.
  nonisolated(unsafe) private static var entries: [SharedID: Entry] = [:]

  /// The object of a token, of which a descriptor has come: the one that is here already, or a new mapping.
  ///
  /// The descriptor is owned from here on, also when this throws.
  package static func adopt(_ token: SharedToken, _ descriptor: Int32) throws -> SharedBlock {
    if let known = find(token.id) {
      millrace_fd_close(descriptor)
      guard known.token == token else { throw SharedMissing(description: "an object that is another one here") }
      return known
    }
    return entered(try SharedBlock(adopting: token, descriptor))
  }

  /// The object of a token whose content has come from another machine: the one that is here already, or a copy of it.
  package static func copy(_ token: SharedToken, _ bytes: UnsafeRawBufferPointer) throws -> SharedBlock {
    guard token.form == .constant, token.size == bytes.count else {
      throw SharedMissing(description: "\(bytes.count) bytes for an object of \(token.size)")
    }
    if let known = find(token.id) {
      guard known.token == token else { throw SharedMissing(description: "an object that is another one here") }
      return known
    }
    return entered(try SharedBlock(copying: token, bytes))
  }

  /// It, or the one that another thread has entered meanwhile.
  private static func entered(_ block: SharedBlock) -> SharedBlock {
    let other = SharedLock.with { () -> SharedBlock? in
      if let other = entries[block.token.id]?.block { return other }
      entries[block.token.id] = Entry(block)
      return nil
    }
    return other ?? block
  }

  package static func find(_ id: SharedID) -> SharedBlock? { SharedLock.with { entries[id]?.block } }

  /// How many there are.
  package static var count: Int { SharedLock.with { entries.count } }

  fileprivate static func enter(_ block: SharedBlock) {
    SharedLock.with { entries[block.token.id] = Entry(block) }
  }

  /// The object goes; whom it has to be told. Nobody, where another has come in its place before: for them that is the same.
  fileprivate static func leave(_ block: SharedBlock) -> [SharedBlock.Holder] {
    let (holders, heir) = SharedLock.with { () -> ([SharedBlock.Holder], SharedBlock?) in
      let holders = block.takeHolders()
      if entries[block.token.id]?.identity == ObjectIdentifier(block) {
        entries[block.token.id] = nil
        return (holders, nil)
      }
      guard let heir = entries[block.token.id]?.block else { return (holders, nil) }
      heir.inherits(holders)
      return ([], heir)
    }
    // Let go of behind the lock.
    withExtendedLifetime(heir) {}
    return holders
  }
}
