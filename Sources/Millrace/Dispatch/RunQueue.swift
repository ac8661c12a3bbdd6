extension Dispatcher {
  /// Who is next: the jobs that have chunks for any slot, in the order in which they are served, and the chunks that only one slot may
  /// run.
  ///
  /// Jobs take turns: who was served goes behind the others. Of the jobs of a level, those that are more urgent stand before those that
  /// are less, and take turns among themselves. Where jobs of another level stand does not change by that: each level has as many turns
  /// as it has jobs in the line.
  ///
  /// A class, so that the dispatcher, which is copied flat for closures, stays small. As of a job, its accesses are not checked.
  final class RunQueue {
    /// Each once. Some may have nothing ready any more; they leave when it is their turn.
    @exclusivity(unchecked) private var line = FIFO<Job>()
    /// Chunks that no other slot may run, by slot. Mostly there are none.
    @exclusivity(unchecked) private var pinned: [Int: [Chunk]] = [:]
    /// Whether jobs of the line may differ in urgency.
    @exclusivity(unchecked) private var hasUrgencies = false

    // MARK: The line

    /// Whether there is nothing for any slot.
    @inline(__always)
    var isEmpty: Bool { line.isEmpty && pinned.isEmpty }

    /// Whether there is nothing for the slot, unless it is at others.
    @inline(__always)
    func isEmpty(for slot: Int) -> Bool { line.isEmpty && (pinned.isEmpty || pinned[slot] == nil) }

    /// The job whose turn it is when those before it have been passed over.
    @inline(__always)
    func job(at place: Int) -> Job? { place < line.count ? line[place] : nil }

    /// The job, which has chunks, gets into the line.
    func offer(_ job: Job) {
      guard !job.isInLine else { return }
      job.isInLine = true
      if line.isEmpty { hasUrgencies = false }
      append(job)
    }

    /// Behind the others; but before those of its level that are less urgent, each of which moves to where the next one was.
    private func append(_ job: Job) {
      line.append(job)
      if job.spec.urgency != 0 { hasUrgencies = true }
      guard hasUrgencies else { return }
      var place = line.count - 1
      for other in (0..<place).reversed() where line[other].spec.level == job.spec.level {
        guard line[other].spec.urgency < job.spec.urgency else { return }
        line.swapAt(other, place)
        place = other
      }
    }

    /// The job at this place of the line has its turn: its next chunks, a batch of so many at the most.
    func take(at place: Int, atMost count: Int) -> Chunk {
      let job = line[place]
      var chunk = job.ready.popFirst()!
      if chunk.count > count { job.ready.prepend(chunk.cut(after: count)) }
      if job.ready.isEmpty {
        leave(at: place)
      } else if line.count > 1 {
        line.remove(at: place)
        append(job)
      }
      return chunk
    }

    /// The job at this place has nothing ready.
    func leave(at place: Int) { line.remove(at: place).isInLine = false }

    /// The job is of another level now.
    func reinsert(_ job: Job) {
      guard job.isInLine, let place = (0..<line.count).first(where: { line[$0] === job }) else { return }
      line.remove(at: place)
      append(job)
    }

    /// How many chunks there are in the line, counted up to so many.
    func count(atMost most: Int) -> Int {
      var count = 0
      for place in 0..<line.count {
        let isEnough =
          line[place].ready.first { chunk in
            count += chunk.count
            return count >= most
          } != nil
        if isEnough { break }
      }
      return count
    }

    // MARK: Chunks for one slot

    /// Whose turn the next chunk of a job is that gives each slot one in turn; nil: anybody's.
    func turn(_ job: Job, of width: Int) -> Int? {
      guard job.spec.roundRobin, width > 0 else { return nil }
      defer { job.turn += 1 }
      return job.turn % width
    }

    var hasPinned: Bool { !pinned.isEmpty }

    func chunks(pinnedTo slot: Int) -> [Chunk] { hasPinned ? pinned[slot] ?? [] : [] }

    func pin(_ chunk: Chunk, to slot: Int, first isFirst: Bool) {
      if isFirst { pinned[slot, default: []].insert(chunk, at: 0) } else { pinned[slot, default: []].append(chunk) }
    }

    func takePinned(to slot: Int, at place: Int) -> Chunk {
      let chunk = pinned[slot]!.remove(at: place)
      if pinned[slot]!.isEmpty { pinned[slot] = nil }
      return chunk
    }

    /// Takes out what only this slot was to run, as far as it is meant.
    func unpin(from slot: Int, _ isMeant: (Chunk) -> Bool = { _ in true }) -> [Chunk] {
      guard let chunks = pinned[slot] else { return [] }
      let rest = chunks.filter { !isMeant($0) }
      pinned[slot] = rest.isEmpty ? nil : rest
      return chunks.filter(isMeant)
    }

    /// Takes out what only single slots were to run of the job, in the order of the slots.
    func unpin(_ id: JobID) -> [Chunk] {
      pinned.isEmpty ? [] : pinned.keys.sorted().flatMap { unpin(from: $0) { $0.job == id } }
    }

    /// All that is ready of the job.
    func chunks(of job: Job) -> [Chunk] {
      job.ready.elements + pinned.keys.sorted().flatMap { pinned[$0]!.filter { $0.job == job.id } }
    }

    /// The job is over.
    func remove(_ job: Job) {
      job.ready.removeAll()
      _ = unpin(job.id)
    }
  }
}
