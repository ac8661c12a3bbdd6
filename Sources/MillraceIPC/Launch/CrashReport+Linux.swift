#if os(Linux)
import CMillrace

/// What a lane of a worker process left in shared memory when it crashed or called `exit`.
package enum CrashReport: Equatable, Sendable {
  case crashed(Crash)
  /// User code called `exit` on the lane's thread. Not written by a worker that ends in good order.
  case exited(code: Int32)

  package struct Crash: Equatable, Sendable {
    package let signal: Int32
    /// As `si_code`: positive for the thread's own fault.
    package let code: Int32
    /// Who sent the signal; 0 for the thread's own fault, the worker itself for `abort`.
    package let sender: Int32
    package let faultAddress: UInt
    package let stackPointer: UInt
    package let programCounter: UInt
    /// The kernel's number of the thread.
    package let thread: Int32
    package let isStackOverflow: Bool
  }

  /// What a record takes in shared memory; aligned to 8, zeroed by the parent before the worker starts.
  package static let recordSize = MemoryLayout<millrace_crash_record>.size

  /// Reads a record; `nil` if nothing has happened.
  ///
  /// Safe while the worker lives.
  package init?(at record: UnsafeRawPointer) {
    var copy = millrace_crash_record()
    switch Int(millrace_crash_read(record.assumingMemoryBound(to: millrace_crash_record.self), &copy)) {
    case MILLRACE_RECORD_CRASH:
      self = .crashed(
        Crash(
          signal: copy.signal, code: copy.code, sender: copy.sender, faultAddress: UInt(copy.fault_address),
          stackPointer: UInt(copy.stack_pointer), programCounter: UInt(copy.program_counter), thread: copy.thread,
          isStackOverflow: copy.is_stack_overflow != 0))
    case MILLRACE_RECORD_EXIT:
      self = .exited(code: copy.exit_code)
    default:
      return nil
    }
  }

  /// Whether another lane of the process may have brought it about: by a signal to the whole process, or on a thread that is no
  /// lane's. False where there is no record.
  package static func isAnyones(at record: UnsafeRawPointer) -> Bool {
    var copy = millrace_crash_record()
    _ = millrace_crash_read(record.assumingMemoryBound(to: millrace_crash_record.self), &copy)
    return copy.is_anyones != 0
  }

  /// Whether something has been written to the record: the worker is on its way out, which may take it seconds.
  package static func hasBegun(at record: UnsafeRawPointer) -> Bool {
    millrace_crash_has_begun(record.assumingMemoryBound(to: millrace_crash_record.self)) != 0
  }

  /// In a worker: from here on, the calling thread reports to this record, and rings the bell when it has.
  ///
  /// The first record armed in a process also serves the threads without one. Swift's backtracer still runs.
  package static func arm(at record: UnsafeMutableRawPointer, bell: Int32 = -1) throws(SystemCallError) {
    let error = millrace_crash_arm(record.assumingMemoryBound(to: millrace_crash_record.self), bell)
    guard error == 0 else { throw SystemCallError("sigaltstack", error) }
  }

  /// In a worker, beside `arm`: a copy of the calling thread, made by fork, that touches this memory ends at once.
  package static func share(_ memory: UnsafeRawBufferPointer) {
    millrace_crash_share(memory.baseAddress, UInt(memory.count))
  }

  /// In a worker, beside `arm`: whoever crashes there gives up what the lane's items do from then on.
  package static func guardProgress(of lane: Lane) {
    millrace_crash_guard(
      UnsafeMutableRawPointer(mutating: lane.progress).assumingMemoryBound(to: UInt64.self), LaneLayout.abandoned)
  }

  /// In a worker, before an armed thread ends or its record is unmapped.
  package static func disarm() {
    millrace_crash_disarm()
  }
}
#endif
