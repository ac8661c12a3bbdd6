/// The parent's end of a lane.
///
/// One for each lane; it belongs to one thread at a time.
package struct ParentEnd: ~Copyable, Sendable {
  package let lane: Lane
  package var requests: FrameWriter
  package var responses: FrameReader

  /// - Parameter spin: how many nanoseconds `waitForData` and `waitForSpace` look before they sleep. A parent with many lanes
  ///   calls neither: it arms what it waits for, and sleeps on the event descriptor that it gave to the workers' ends.
  package init(_ lane: Lane, spin: UInt64 = 0) {
    self.lane = lane
    requests = FrameWriter(
      RingWriter(
        lane: lane, words: lane.requestWords, bytes: lane.requestBytes, capacity: lane.requestCapacity,
        bell: .futex, spin: spin))
    responses = FrameReader(
      RingReader(
        lane: lane, words: lane.responseWords, bytes: lane.responseBytes, capacity: lane.responseCapacity,
        bell: .futex, spin: spin))
  }

  /// Asks the worker to ring when there is a response.
  ///
  /// False if there is one already: then the parent must not sleep.
  package mutating func armResponses() throws(ProtocolError) -> Bool { try responses.arm() }

  /// Asks the worker to ring when a request with `payload` bytes fits.
  ///
  /// False if it does: then the parent must not sleep.
  package mutating func armRequestSpace(_ payload: Int) throws(ProtocolError) -> Bool {
    try requests.arm(payload)
  }

  /// The worker need not ring: the parent is awake.
  package func disarm() {
    responses.ring.disarm()
    requests.ring.disarm()
  }
}

/// The worker's end of a lane.
///
/// One for each lane; it belongs to one thread at a time.
package struct WorkerEnd: ~Copyable, Sendable {
  package let lane: Lane
  package var requests: FrameReader
  package var responses: FrameWriter
  package var marker: LaneMarker

  /// - Parameters:
  ///   - bell: what the parent sleeps on; an event descriptor stays the caller's, and must be open as long as this end is.
  ///   - spin: how many nanoseconds to look before sleeping; 0 where only one CPU is to be had.
  package init(_ lane: Lane, bell: Doorbell, spin: UInt64 = Doorbell.defaultSpin) {
    self.lane = lane
    requests = FrameReader(
      RingReader(
        lane: lane, words: lane.requestWords, bytes: lane.requestBytes, capacity: lane.requestCapacity, bell: bell,
        spin: spin))
    responses = FrameWriter(
      RingWriter(
        lane: lane, words: lane.responseWords, bytes: lane.responseBytes, capacity: lane.responseCapacity, bell: bell,
        spin: spin))
    marker = LaneMarker(lane)
  }
}
