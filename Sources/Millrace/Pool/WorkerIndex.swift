/// The workers that a pool has and that others may stand for, found by what makes them equal in a time that does not depend
/// on how many there are.
struct WorkerIndex {
  private var records: [WorkerIdentity.Fingerprint: [WorkerRecord]] = [:]

  /// Those that may equal a worker. Whoever asks compares them, without a lock.
  func candidates(_ identity: WorkerIdentity) -> [WorkerRecord] { records[identity.fingerprint] ?? [] }

  mutating func insert(_ record: WorkerRecord) {
    guard let mark = record.identity?.fingerprint, records[mark]?.contains(where: { $0 === record }) != true else {
      return
    }
    records[mark, default: []].append(record)
  }

  mutating func remove(_ record: WorkerRecord) {
    guard let mark = record.identity?.fingerprint else { return }
    records[mark]?.removeAll { $0 === record }
    if records[mark]?.isEmpty == true { records[mark] = nil }
  }
}
