/// Jobs that only so many slots may serve at the same time (`JobSpec/maximumSlots`): a slot has a right to one while it has a chunk of it.
///
/// It is counted when it is asked for, and not kept: there is no way on which a chunk leaves its slot, or a worker its chunks, that could
/// forget to say so. A slot whose worker was given up has none, though its item may be running yet.
extension Dispatcher {
  /// Whether the slot has a right to the job, or could have one.
  ///
  /// `holder`, if there is one, is about to give back what it has not begun of the job. A suspect that waits for the slot in which it is
  /// to be tried counts as there: else others would go on before it for ever.
  @inline(never)
  func hasRight(_ slot: Int, _ job: Job, leaving holder: Int? = nil) -> Bool {
    let others = slots.indices.count { other in
      guard other != slot else { return false }
      if other == holder { return hasBegun(job.id, in: other) }
      return slots[other].worker.assigned.contains(job.id)
        || queue.chunks(pinnedTo: other).contains { $0.job == job.id }
    }
    return others < max(1, job.spec.maximumSlots ?? .max)
  }

  /// Whether the slot is at the job, as far as is known: what waits there behind another job's chunk may be given back.
  private func hasBegun(_ job: JobID, in slot: Int) -> Bool {
    slots[slot].worker.assigned.first?.job == job
      || slots[slot].worker.assigned.elements.contains { $0.job == job && slots[slot].worker.begun.contains($0.id) }
  }

  /// Whether the slot may be given the chunk, which no other may run, now.
  func mayBegin(_ slot: Int, _ chunk: Chunk) -> Bool {
    guard let most = jobs[chunk.job]?.spec.maximumSlots else { return true }
    return slots.indices.count { $0 != slot && slots[$0].worker.assigned.contains(chunk.job) } < max(1, most)
  }

  /// Whether the slot has nothing of the chunk's job but what waits of this chunk.
  func isAllThereIs(_ chunk: Chunk, in slot: Int) -> Bool {
    slots[slot].worker.assigned.elements.allSatisfy {
      $0.job != chunk.job || $0.id == chunk.id && $0.range == chunk.range
    }
  }
}
