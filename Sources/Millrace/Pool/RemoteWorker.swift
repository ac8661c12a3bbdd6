package protocol RemoteWorker: Sendable {}
package struct TypedRemoteWorker<W: Worker>: RemoteWorker { init(_ w: W) {} }
func encodedWorker<W: Worker>(_ w: W) throws -> [UInt8] { throw CancellationError() }
package final class ProcessSlots: Slots {
  init(_ o: ProcessOptions, cpuIDs: [[Int32]], core: PoolCore) throws {}
  package func accept(_ action: Action) {}
  package func flush() {}
  package func close() {}
  package func validate(_ worker: WorkerRecord, _ options: MapOptions) throws {}
}
enum Host { static var usableCPUs: Int { 2 }; static var cpuCount: Int { 2 } }
extension Chunking { func validate() throws {} }
