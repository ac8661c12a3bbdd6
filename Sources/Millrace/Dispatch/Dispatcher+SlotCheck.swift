/// What the sets of slots stand for, said by the loops over all slots that they replace: for the simulator, which asks after each step.
extension Dispatcher {
  /// What is wrong with the sets, if they were asked now.
  package func problemOfSlots() -> String? {
    for slot in slots.indices {
      let worker = slots[slot].worker
      let isEmpty = worker.assigned.isEmpty
      let canTake = worker.isReady && worker.kill == nil
      var wanted: [(SlotSets, Bool, String)] = [
        (.idle, worker.isIdle && !slots[slot].retires, "idle"),
        (.vacant, slots[slot].isVacant && !slots[slot].retires, "vacant"),
        (
          .onErrand,
          isEmpty && canTake && (slots[slot].retires || !worker.toPrepare.isEmpty)
            || slots[slot].isVacant && slots[slot].retires, "on an errand"
        ),
        (.busy, !isEmpty, "busy"),
        (.laden, worker.assigned.count > 1, "laden"),
        (.shareable, worker.shareable(limits) != nil, "shareable"),
        (.unlimited, isUnlimited(worker.phase), "without a limit"),
      ]
      // There may be something against it that is not the slot's.
      if canTake, !isEmpty, !slots[slot].retires, worker.assigned.count * 2 <= depth(slot) {
        wanted.append((.hungry, true, "hungry"))
      }
      for (set, isIn, name) in wanted where slots.contains(slot, in: set) != isIn {
        return "slot \(slot) is \(isIn ? "" : "not ")\(name), and does not count so"
      }
    }
    let first = slots.map { deadline($0) }.min() ?? .max
    for slot in slots.indices where slots.deadline(of: slot) != deadline(slots[slot]) {
      return "slot \(slot) is to be looked at at \(deadline(slots[slot])), not \(slots.deadline(of: slot))"
    }
    return slots.firstDeadline == first ? nil : "a slot is to be looked at at \(first), not \(slots.firstDeadline)"
  }

  private func isUnlimited(_ phase: Slot.Worker.Phase) -> Bool {
    switch phase {
    case .preparing(_, nil), .tearingDown(_, nil): true
    default: false
    }
  }

  private func deadline(_ slot: Slot) -> UInt64 {
    var next = UInt64.max
    func consider(_ time: UInt64?) { next = min(next, time ?? .max) }
    if slot.worker.kill != nil { return slot.worker.goneBy ?? .max }
    switch slot.worker.phase {
    case .none, .ready: break
    case .starting: consider(limits.startTime.map { slot.worker.startedAt &+ $0 })
    case .preparing(_, let deadline), .tearingDown(_, let deadline): consider(deadline)
    case .ending(let deadline): consider(deadline)
    }
    for chunk in slot.worker.assigned.heads { consider(chunk.deadline) }
    for leaver in slot.worker.leavers { consider(leaver.deadline) }
    return next
  }
}
