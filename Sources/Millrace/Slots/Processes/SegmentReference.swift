/// Where a payload is that travels in a segment.
struct SegmentReference: BitwiseCopyable {
  var id: UInt64
  var length: UInt64
}
