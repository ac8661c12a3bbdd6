import CMillrace
import MillraceIPC

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A file that is read, and perhaps followed, or what is open already. It belongs to the thread of a source, which may block in it, until its task is cancelled.
final class ReadableFile: @unchecked Sendable {
  // Sound: one task reads; the bell may be rung by anybody.
  private let path: String
  private let follows: Bool
  /// It was opened by somebody else, and is his: whether a call of it waits, too.
  private let isLent: Bool
  private let stop: Descriptor
  /// Tells of what becomes of the file, and of its folder; nil: nothing does, and it is looked at only.
  private let watch: HeldDescriptor?
  /// For how many milliseconds it relies on that: it is told nothing of what other machines write, nor of where a symbolic link leads to.
  private let patience: Int32
  private var file: HeldDescriptor?
  /// What tells of the file.
  private var fileWatch: Int32 = -1
  /// Which of the files of its name it is.
  private var identity = Identity(device: 0, node: 0)
  private var offset = 0
  /// Whether it says how long it is. Files of the kernel's do not.
  private var hasSize = false
  /// Nothing was said of its beginning yet.
  private var isNew = true

  /// What comes next.
  enum Piece {
    /// A file begins: the first, another of its name, or the same from its start.
    case beginning
    case bytes([UInt8])
  }

  private struct Identity: Equatable { var device: UInt, node: UInt }

  init(_ path: String, follows: Bool, patience: Int32 = 1_000) throws {
    self.path = path
    self.follows = follows
    self.patience = patience
    isLent = false
    stop = try Descriptor.bell()
    guard follows else {
      watch = nil
      try open()
      return
    }
    // Of those that tell there are so many for all programs of a user. Who gets none looks.
    let number = millrace_watch_own()
    watch = number < 0 ? nil : HeldDescriptor(Descriptor(owning: number))
    // The folder tells of files that get the name, the file of what is written. One that is not there yet is looked for.
    let folder = path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[...$0]) } ?? "."
    if number >= 0 { _ = inotify_add_watch(number, folder, UInt32(IN_CREATE | IN_MOVED_TO)) }
    do { try open() } catch let error as SystemError where error.code == ENOENT {}
  }

  /// What somebody has opened, from where he is in it.
  init(descriptor number: Int32) throws {
    (path, follows, patience, watch, isLent) = ("descriptor \(number)", false, -1, nil, true)
    stop = try Descriptor.bell()
    let copy = millrace_fd_copy(number)
    guard copy >= 0 else { throw SystemError("reading \(path)", errno) }
    file = HeldDescriptor(Descriptor(owning: copy))
  }

  /// The next bytes; nil: there are no more.
  func next() async throws -> Piece? {
    try await withTaskCancellationHandler {
      try readOrWait()
    } onCancel: {
      stop.ring()
    }
  }

  private func readOrWait() throws -> Piece? {
    while true {
      if file != nil {
        if isNew {
          isNew = false
          return .beginning
        }
        // A FIFO has no end before it had a writer, which only waiting knows.
        if !follows { try wait(file!.rawValue, atMost: -1) }
        let bytes = try readOnce()
        if let bytes, !bytes.isEmpty { return .bytes(bytes) }
        guard follows else {
          if bytes == nil { continue }
          return nil
        }
        if hasSuccessor {
          // What was written to it before that came is read first.
          if let rest = try readOnce(), !rest.isEmpty { return .bytes(rest) }
          if try openIfPossible() { continue }
        }
        if try wasEmptied() { continue }
      } else {
        if try openIfPossible() { continue }
      }
      try wait(watch?.rawValue ?? -1, atMost: patience)
      hear()
    }
  }

  /// What there is; nil: nothing now.
  private func readOnce() throws -> [UInt8]? {
    var failure: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: 64 << 10) { room, count in
      while true {
        var got = -1
        // Others may read from a socket as well, and have taken what there was: it waits only where it can be told to stop.
        if isLent { got = recv(file!.rawValue, room.baseAddress, room.count, Int32(MSG_DONTWAIT)) }
        if !isLent || got < 0 && errno == ENOTSOCK { got = read(file!.rawValue, room.baseAddress, room.count) }
        if got < 0, errno == EINTR { continue }
        if got < 0 { failure = errno }
        count = max(0, got)
        return
      }
    }
    if failure == EAGAIN { return nil }
    guard failure == 0 else { throw SystemError("reading \(path)", failure) }
    offset += bytes.count
    return bytes
  }

  /// Whether another file has the name now.
  private var hasSuccessor: Bool {
    var status = stat()
    return stat(path, &status) == 0 && Self.identity(status) != identity
  }

  /// At the end of what there is: whether it has less than it had, and begins anew.
  private func wasEmptied() throws -> Bool {
    var status = stat()
    guard fstat(file!.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
    if status.st_size > 0 { hasSize = true }
    guard hasSize, Int(status.st_size) < offset else { return false }
    guard lseek(file!.rawValue, 0, SEEK_SET) == 0 else { throw SystemError("reading \(path)", errno) }
    (offset, isNew) = (0, true)
    return true
  }

  /// Opens what has the name, if there is anything, and it may be read already. False if not.
  private func openIfPossible() throws -> Bool {
    do {
      try open()
      return true
    } catch let error as SystemError where [ENOENT, ENOTDIR, EACCES, EISDIR].contains(error.code) {
      return false
    }
  }

  private func open() throws {
    let number = millrace_file_own(path)
    guard number >= 0 else { throw SystemError("opening \(path) for reading", errno) }
    let next = HeldDescriptor(Descriptor(owning: number))
    var status = stat()
    guard fstat(number, &status) == 0 else { throw SystemError("opening \(path) for reading", errno) }
    guard status.st_mode & S_IFMT != S_IFDIR else { throw SystemError("opening \(path) for reading", EISDIR) }
    file = next
    if let watch {
      // Once it is there, for what is not there yet cannot be watched; and before it is read, so what is written from now on is told of.
      // Where another file has got the name meanwhile, its folder tells.
      let old = fileWatch
      fileWatch = inotify_add_watch(watch.rawValue, path, UInt32(IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF))
      if old >= 0, old != fileWatch { _ = inotify_rm_watch(watch.rawValue, old) }
    }
    identity = Self.identity(status)
    (offset, hasSize, isNew) = (0, status.st_size > 0, true)
  }

  private static func identity(_ status: stat) -> Identity {
    Identity(device: UInt(status.st_dev), node: UInt(status.st_ino))
  }

  /// Sleeps until there is something, or nobody wants it, or for so many milliseconds (-1: without end).
  private func wait(_ descriptor: Int32, atMost milliseconds: Int32) throws {
    var states = [
      pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: stop.rawValue, events: Int16(POLLIN), revents: 0),
    ]
    while poll(&states, 2, milliseconds) < 0 {}
    if states[1].revents != 0 { throw CancellationError() }
  }

  /// What it says is looked up, so it need not be understood.
  private func hear() {
    guard let watch else { return }
    withUnsafeTemporaryAllocation(byteCount: 4_096, alignment: 8) { room in
      while read(watch.rawValue, room.baseAddress, room.count) > 0 {}
    }
  }
}
