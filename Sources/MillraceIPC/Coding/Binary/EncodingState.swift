/// What one encoding works on: the bytes so far, and which containers in them may still be written.
///
/// Containers write straight into the one buffer. `tail` is the innermost container that is still open, and nearly every write
/// is at the tail. When an outer container goes on, the inner ones are sealed: their lengths are written. If a sealed container is
/// written again (two nested containers filled in turns), the new bytes are made at the end and then moved to their place.
final class EncodingState {
  struct Frame {
    var kind: Kind
    var serial: UInt32
    var parent: Int32
    /// For a wrapper, the container in it; `noChild` before there is one, `scalarChild` if it holds a value that is none.
    var child: Int32 = noChild
    var depth: Int32
    /// Offset of the tag.
    var start: Int
    /// Offset of the key before the tag; what is undone when encoding the value fails.
    var entry: Int
    /// The offset after the last byte, or -1 while open.
    var end = -1
    /// Elements in an unkeyed container.
    var count = 0

    static let noChild: Int32 = -1
    static let scalarChild: Int32 = -2
  }

  enum Kind: UInt8 {
    /// A value of which nothing is written yet.
    case value
    /// A value that is written, and was no container.
    case scalar
    case keyed
    case unkeyed
    /// What a super encoder writes to.
    case wrapper
    /// Bytes that were made at the end for a sealed container.
    case moved
  }

  /// Names a frame.
  ///
  /// The serial tells a frame from its successor in the same place, for containers kept longer than their value.
  struct Handle {
    var index: Int32
    var serial: UInt32

    static let dead = Handle(index: .min, serial: 0)
  }

  @exclusivity(unchecked) var writer = ByteWriter()
  @exclusivity(unchecked) var userInfo: [CodingUserInfoKey: Any] = [:]
  /// The first error in a call that cannot throw; thrown when its value ends.
  @exclusivity(unchecked) var failure: (any Error)?
  /// Where the value that is encoded begins in `writer`.
  @exclusivity(unchecked) var origin = 0
  /// Offset of the entry that is being written, for the next frame.
  @exclusivity(unchecked) var entry = 0
  let maximumDepth: Int32
  @exclusivity(unchecked) private var stack = StackGuard()
  let shortcuts = ShortcutCache<EncodingShortcut> { $0.encodingShortcut() }
  @exclusivity(unchecked) var containers = KeyedContainers<KeyedWriterCore>()

  @exclusivity(unchecked) private(set) var tail: Int32 = -1
  @exclusivity(unchecked) private(set) var frames: UnsafeMutablePointer<Frame>
  @exclusivity(unchecked) private var frameCount: Int32 = 0
  @exclusivity(unchecked) private var frameCapacity: Int32 = 32
  @exclusivity(unchecked) private var serial: UInt32 = 0

  init(maximumDepth: Int) {
    self.maximumDepth = Int32(clamping: maximumDepth)
    frames = .allocate(capacity: Int(frameCapacity))
  }

  deinit { frames.deallocate() }

  private func reset() {
    if !userInfo.isEmpty { userInfo = [:] }
    failure = nil
    stack.reset()
    containers.reset()
    tail = -1
    frameCount = 0
  }

  @inline(__always) func isValid(_ handle: Handle) -> Bool {
    handle.index >= 0 && handle.index < frameCount && frames[Int(handle.index)].serial == handle.serial
  }

  @inline(__always) func handle(_ index: Int32) -> Handle {
    Handle(index: index, serial: frames[Int(index)].serial)
  }

  /// How deep a frame is nested; 0 if it has ended.
  func depth(of handle: Handle) -> Int32 { isValid(handle) ? frames[Int(handle.index)].depth : 0 }

  // MARK: - Values

  /// Appends a value to `writer`, which is as it was if that throws.
  func encode<T: Encodable>(at value: UnsafePointer<T>, into writer: inout ByteWriter) throws {
    swap(&writer, &self.writer)
    origin = self.writer.count
    entry = origin
    defer {
      swap(&writer, &self.writer)
      reset()
    }
    do {
      guard let shortcut = shortcuts.find(T.self) else { return try encodeByContainers(at: value) }
      try shortcut._withUnsafeGuaranteedRef { try $0.encode(UnsafeRawPointer(value), to: self) }
    } catch {
      self.writer.truncate(to: origin)
      throw error
    }
  }

  /// Appends a value at the tail.
  func encode<T: Encodable>(_ value: T) throws {
    guard let shortcut = shortcuts.find(T.self) else { return try encodeByContainers(value) }
    try withUnsafePointer(to: value) { value in
      try shortcut._withUnsafeGuaranteedRef { try $0.encode(UnsafeRawPointer(value), to: self) }
    }
  }

  /// Appends the value in an optional.
  ///
  /// If it is itself a nil, it is marked as being there.
  func encodePresent<T: Encodable>(_ value: T) throws {
    guard let shortcut = shortcuts.find(T.self) else { return try encodeByContainers(value) }
    try withUnsafePointer(to: value) { value in
      try shortcut._withUnsafeGuaranteedRef {
        if $0.encodesNil(value) { write(tag: Tag.some) }
        try $0.encode(value, to: self)
      }
    }
  }

  private func encodeByContainers<T: Encodable>(_ value: T) throws {
    try withUnsafePointer(to: value) { try encodeByContainers(at: $0) }
  }

  /// Appends a value by its own `encode(to:)`.
  func encodeByContainers<T: Encodable>(at value: UnsafePointer<T>) throws {
    let index: Int32
    do { index = try push(.value) } catch {
      writer.truncate(to: entry)
      throw error
    }
    do {
      try value.pointee.encode(to: ValueEncoder(state: self, handle: handle(index)))
      if let failure {
        self.failure = nil
        throw failure
      }
      finish(index)
    } catch {
      failure = nil
      finish(index)
      writer.truncate(to: frames[Int(index)].entry)
      throw error
    }
  }

  /// Ends the value in frame `index`: what is open in it is sealed, and its frames are free again.
  private func finish(_ index: Int32) {
    if tail > index { seal(above: index) }
    if tail == index { sealTail() }
    frameCount = index
  }

  /// Appends a value that is not a container to a value's place.
  @inline(__always) func encodeScalar(_ handle: Handle, _ write: () throws -> Void) throws {
    guard isValid(handle) else { throw misuse("A value was encoded after its encoder had ended.") }
    let index = Int(handle.index)
    switch frames[index].kind {
    case .value where handle.index == tail:
      entry = writer.count
      frames[index].kind = .scalar
      do { try write() } catch {
        frames[index].kind = .value
        throw error
      }
    case .wrapper where frames[index].child == Frame.noChild:
      try add(to: handle) {
        frames[index].child = Frame.scalarChild
        try write()
      }
    default:
      throw misuse("A single value was encoded after another value or a container of the same encoder.")
    }
  }

  // MARK: - Containers

  /// The container of a value: begins it, or goes on with it if the same kind was asked for before.
  func open(_ kind: Kind, of handle: Handle) -> Handle {
    do {
      guard isValid(handle) else { throw misuse("A container was asked for after its encoder had ended.") }
      let index = Int(handle.index)
      switch frames[index].kind {
      case .value where handle.index == tail:
        begin(kind, handle.index)
        return handle
      case kind:
        return handle
      case .wrapper where frames[index].child >= 0:
        let child = frames[index].child
        guard frames[Int(child)].kind == kind else { break }
        return self.handle(child)
      case .wrapper where frames[index].child == Frame.noChild:
        var child = Handle.dead
        try add(to: handle) { child = try nest(kind) }
        frames[index].child = child.index
        return child
      default: break
      }
      throw misuse("A container was asked for after a value or a container of another kind.")
    } catch {
      failure = failure ?? error
      return .dead
    }
  }

  /// Begins a container at the tail that stays open after the call.
  func nest(_ kind: Kind) throws -> Handle {
    let index = try push(.value)
    begin(kind, index)
    return handle(index)
  }

  /// Begins a container in another one, after its key; the call that asks for it cannot throw.
  func nest(_ kind: Kind, in handle: Handle, writeKey: () -> Void) -> Handle {
    var nested = Handle.dead
    do {
      try add(to: handle) {
        writeKey()
        nested = try nest(kind)
      }
    } catch {
      failure = failure ?? error
    }
    return nested
  }

  private func begin(_ kind: Kind, _ index: Int32) {
    frames[Int(index)].kind = kind
    writer.reserve(13)
    switch kind {
    case .keyed: writer.storeReserved(Tag.keyed)
    case .wrapper: writer.storeReserved(Tag.wrapper)
    default: writer.storeReserved(Tag.unkeyed)
    }
    writer.storeReserved(Tag.openLength)
    if kind == .unkeyed { writer.storeReserved(UInt32(0)) }
  }

  /// Lets `write` append to the container `handle`, wherever that is.
  @inline(__always) func add(to handle: Handle, _ write: () throws -> Void) throws {
    let isTail = handle.index == tail && frames[Int(handle.index)].serial == handle.serial
    let detour = isTail ? nil : try begin(elsewhere: handle)
    defer { if let detour { end(detour) } }
    entry = writer.count
    try write()
  }

  /// An addition to a container that is sealed: the frame of the bytes that have to be moved there, and what was the tail before.
  private struct Detour {
    var moved: Int32
    var target: Int32
    var tail: Int32
  }

  /// Makes a container that is not the tail ready for an addition.
  private func begin(elsewhere handle: Handle) throws -> Detour? {
    guard isValid(handle) else { throw failure ?? misuse("A container was written after its value had ended.") }
    guard frames[Int(handle.index)].end >= 0 else {
      seal(above: handle.index)
      return nil
    }
    let saved = tail
    tail = handle.index
    do {
      // The frame stays: containers opened by the addition are inside it.
      return Detour(moved: try push(.moved), target: handle.index, tail: saved)
    } catch {
      tail = saved
      throw error
    }
  }

  private func end(_ detour: Detour) {
    seal(above: detour.moved)
    sealTail()
    tail = detour.tail
    move(detour.moved, into: detour.target)
  }

  // MARK: - Frames

  private func push(_ kind: Kind) throws -> Int32 {
    let depth = tail < 0 ? 1 : frames[Int(tail)].depth + 1
    guard depth <= maximumDepth, stack.hasRoom(at: depth) else {
      throw misuse("Values are nested too deep: \(depth) levels.")
    }
    if frameCount == frameCapacity { growFrames() }
    serial &+= 1
    (frames + Int(frameCount)).initialize(
      to: Frame(kind: kind, serial: serial, parent: tail, depth: depth, start: writer.count, entry: entry))
    tail = frameCount
    frameCount += 1
    return tail
  }

  private func growFrames() {
    let larger = UnsafeMutablePointer<Frame>.allocate(capacity: Int(frameCapacity) * 2)
    larger.moveInitialize(from: frames, count: Int(frameCount))
    frames.deallocate()
    frames = larger
    frameCapacity *= 2
  }

  func countElement(of handle: Handle) { frames[Int(handle.index)].count += 1 }

  private func seal(above index: Int32) {
    while tail > index { sealTail() }
  }

  private func sealTail() {
    let index = Int(tail)
    switch frames[index].kind {
    case .value:
      frames[index].kind = .scalar
      writer.append(Tag.empty)
    default: break
    }
    frames[index].end = writer.count
    writeLength(index)
    tail = frames[index].parent
  }

  private func writeLength(_ index: Int) {
    let frame = frames[index]
    switch frame.kind {
    case .value, .scalar, .moved: return
    case .unkeyed: writer.replace(at: frame.start + 9, with: UInt32(exactly: frame.count) ?? Tag.unknownCount)
    case .keyed, .wrapper: break
    }
    writer.replace(at: frame.start + 1, with: UInt64(frame.end - frame.start - 9))
  }

  /// Moves the bytes of frame `moved`, which are the last ones, to the end of the sealed container `target`.
  private func move(_ moved: Int32, into target: Int32) {
    let source = frames[Int(moved)].start
    let place = frames[Int(target)].end
    let length = writer.count - source
    writer.moveTail(from: source, to: place)
    for index in 0..<Int(frameCount) where frames[index].start >= place {
      let shift = frames[index].start >= source && index >= moved ? place - source : length
      frames[index].start += shift
      frames[index].entry += shift
      if frames[index].end >= 0 { frames[index].end += shift }
    }
    var index = target
    while index >= 0, frames[Int(index)].end >= 0 {
      frames[Int(index)].end += length
      writeLength(Int(index))
      index = frames[Int(index)].parent
    }
  }

  // MARK: - Errors

  func path(of handle: Handle) -> [any CodingKey] {
    isValid(handle) ? path(ofFrame: handle.index) : []
  }

  private func path(ofFrame index: Int32) -> [any CodingKey] {
    let bytes = UnsafeRawBufferPointer(rebasing: writer.bytes[origin...])
    return ByteReader(bytes, isPartial: true).path(to: frames[Int(index)].start - origin)
  }

  func misuse(_ text: String) -> EncodingError {
    let path = tail < 0 ? [] : path(ofFrame: tail)
    return .invalidValue(text, EncodingError.Context(codingPath: path, debugDescription: text))
  }
}
