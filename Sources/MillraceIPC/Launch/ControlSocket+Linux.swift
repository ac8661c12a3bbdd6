#if os(Linux)
import CMillrace

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// One end of a private line between a program and a worker: whole messages, in order, with descriptors beside them.
///
/// For configuration and news, not for items. What is larger than `maximumMessage` travels as a memfd.
/// When either side closes its end, the other one reads `closed`; a worker whose program closes it is killed. What code of the program's
/// has put in the place of an end is neither read nor written: EBADF.
package struct ControlSocket: ~Copyable, Sendable {
  package static let maximumMessage = 65_536
  package static let maximumDescriptors = Int(MILLRACE_MESSAGE_DESCRIPTORS)

  private let descriptor: Descriptor

  package init(owning descriptor: consuming Descriptor) {
    self.descriptor = descriptor
  }

  /// To poll, and to hand to a launch.
  package var rawValue: Int32 { descriptor.rawValue }

  /// Whether it is still this one that has its number.
  package var isIntact: Bool { descriptor.isIntact }

  /// Two connected ends.
  ///
  /// Frozen, so that its parts may be taken apart.
  @frozen
  package struct Pair: ~Copyable, Sendable {
    package let parent: ControlSocket
    package let worker: ControlSocket

    package init() throws(SystemCallError) {
      var ends: [Int32] = [-1, -1]
      let error = millrace_socket_pair(&ends)
      guard error == 0 else { throw SystemCallError("socketpair", error) }
      parent = ControlSocket(owning: Descriptor(owning: ends[0]))
      worker = ControlSocket(owning: Descriptor(owning: ends[1]))
    }
  }

  /// Sends one message, waiting for room.
  ///
  /// The descriptors stay the caller's too.
  ///
  /// - Throws: EPIPE if the other side is gone; EINVAL if `bytes` is empty or there are too many descriptors.
  package func send(_ bytes: [UInt8], descriptors: [Int32] = []) throws(SystemCallError) {
    let error = transmit(bytes, descriptors, waits: true)
    guard error == 0 else { throw SystemCallError("sendmsg", error) }
  }

  /// Sends one message if there is room for it now; `false` if not.
  package func trySend(_ bytes: [UInt8], descriptors: [Int32] = []) throws(SystemCallError) -> Bool {
    let error = transmit(bytes, descriptors, waits: false)
    if error == EAGAIN { return false }
    guard error == 0 else { throw SystemCallError("sendmsg", error) }
    return true
  }

  private func transmit(_ bytes: [UInt8], _ descriptors: [Int32], waits: Bool) -> Int32 {
    guard bytes.count <= Self.maximumMessage else { return EMSGSIZE }
    guard isIntact else { return EBADF }
    return bytes.withUnsafeBytes { bytes in
      descriptors.withUnsafeBufferPointer { descriptors in
        millrace_socket_send(
          rawValue, bytes.baseAddress, bytes.count, descriptors.baseAddress, descriptors.count, waits ? 1 : 0)
      }
    }
  }

  /// Tells the other side that nothing more comes: a worker ends itself then.
  package func hangUp() { if isIntact { _ = hangUpSocket(rawValue) } }

  /// What came, or did not come.
  package enum Reception: ~Copyable, Sendable {
    case message(ControlMessage)
    /// Nothing has come yet; only from `tryReceive`.
    case nothing
    /// The other side is gone, and so is every message that it did not send.
    case closed
  }

  /// The next message; waits for it.
  ///
  /// - Throws: EMFILE if there are no numbers for its descriptors: it is lost with them.
  package func receive() throws(SystemCallError) -> Reception {
    try receive(waits: true, takesTruncated: false)
  }

  /// The next message if it is there now.
  ///
  /// - Parameter takesTruncated: whether it is wanted without its descriptors, if there are no numbers for them. Else that is
  ///   EMFILE, as in `receive`.
  package func tryReceive(takesTruncated: Bool = false) throws(SystemCallError) -> Reception {
    try receive(waits: false, takesTruncated: takesTruncated)
  }

  /// Waits so long for something to come, or the other side to go; whether it did.
  package func hasNews(within milliseconds: Int32) -> Bool {
    var state = pollfd(fd: rawValue, events: Int16(POLLIN), revents: 0)
    return poll(&state, 1, milliseconds) == 1
  }

  private func receive(waits: Bool, takesTruncated: Bool) throws(SystemCallError) -> Reception {
    guard isIntact else { throw SystemCallError("recvmsg", EBADF) }
    var descriptors = [Int32](repeating: -1, count: Self.maximumDescriptors)
    var descriptorCount = 0
    var isTruncated: Int32 = 0
    var result = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: Self.maximumMessage) { buffer, count in
      result = Int(
        millrace_socket_receive(
          rawValue, buffer.baseAddress, buffer.count, &descriptors, &descriptorCount, waits ? 1 : 0, &isTruncated))
      count = max(0, result)
    }
    switch result {
    case 0: return .closed
    case Int(-EAGAIN): return .nothing
    case ..<0: throw SystemCallError("recvmsg", Int32(-result))
    case _ where isTruncated != 0 && !takesTruncated: throw SystemCallError("recvmsg", EMFILE)
    default: return .message(ControlMessage(bytes: bytes, owning: descriptors.prefix(descriptorCount)))
    }
  }
}

/// A message, and the descriptors that came with it: those not taken are closed with it.
package struct ControlMessage: ~Copyable, Sendable {
  package let bytes: [UInt8]
  private var descriptors: ArraySlice<Int32>

  fileprivate init(bytes: [UInt8], owning descriptors: ArraySlice<Int32>) {
    self.bytes = bytes
    self.descriptors = descriptors
  }

  deinit {
    for descriptor in descriptors { millrace_fd_close(descriptor) }
  }

  package var descriptorCount: Int { descriptors.count }

  /// The next descriptor, in the order that they were sent in.
  package mutating func takeDescriptor() -> Descriptor? {
    guard let first = descriptors.popFirst() else { return nil }
    return Descriptor(owning: first)
  }
}

// Out here, where no method of that name hides the system's.
private func hangUpSocket(_ socket: Int32) -> Int32 { shutdown(socket, Int32(SHUT_RDWR)) }
#endif
