import MillraceIPC
import Synchronization

extension RemoteLane {
  /// At which of its worker's parts its item is, or was; what a dying worker has left there may be anything.
  var part: UInt64 { lane.part.pointee.load(ordering: .relaxed) }
}
