import Logging
import MillraceIPC

/// What a lane has of its workers: instances that are set up, handed over between levels, and torn down.
extension LocalLane {
  /// `own`: the task that this is, if it is one of the set-up's own.
  func prepare(_ key: WorkerKey, in own: ItemTask? = nil) async {
    guard let record = host.worker(key) else { return }
    if record.isStation, let found = ofOtherLevels?(key) {
      instances.withLock { $0.all[key] = found.instance }
      if let own { isSetUp(own) }
      return host.step { [slot, generation] in $0.prepared(slot: slot, generation: generation, key, now: $1) }
    }
    let instance = record.makeInstance()
    position.enter(first: 0, attempt: 1, seed: 0, isItem: false)
    do {
      begin("a set-up", of: record)
      copies.enter()
      defer {
        copies.leave()
        codeHasEnded()
      }
      if let own {
        defer {
          // A copy has this thread only, and of the locks nobody knows.
          copies.leave()
          isSetUp(own)
        }
        try await inPlace(of: key) { try await instance.setUp(context) }
      } else if record.opensNothing {
        try await instance.setUp(context)
      } else {
        try await inPlace(of: key) { try await setUp(instance, key) }
      }
      record.learn(.opensNothing, from: position)
    } catch {
      return host.step { [slot, generation] in $0.prepareFailed(slot: slot, generation: generation, key, error, now: $1)
      }
    }
    let kept = Leaver(worker: key, number: 0, instance: instance)
    instances.withLock { $0.all[key] = kept.instance }
    host.step { [slot, generation] in $0.prepared(slot: slot, generation: generation, key, now: $1) }
  }

  /// In a task of its own, which can be cancelled alone: the lane goes on with others' work.
  private func setUp(_ instance: AnyWorkerInstance, _ key: WorkerKey) async throws {
    let task = settingUp(key)
    defer { isSetUp(task) }
    nonisolated(unsafe) let instance = instance
    let failure = Lock<(any Error)?>(nil)
    let setUp = Task(executorPreference: executor ?? LaneThread.ofFork) { [context, copies] in
      do { try await instance.setUp(context) } catch { failure.withLock { $0 = error } }
      // A copy has this thread only: nobody would come to what follows the wait.
      copies.leave()
      task.end()
    }
    task.begin(setUp)
    await withTaskCancellationHandler {
      await setUp.value
    } onCancel: {
      setUp.cancel()
    }
    if let error = failure.withLock({ $0 }) { throw error }
  }

  /// A set-up is about to begin: the task that it will have, which is cancelled if nobody wants the worker any more.
  func settingUp(_ key: WorkerKey) -> ItemTask {
    let task = ItemTask()
    let isWanted = mailbox.withLock { mailbox in
      (mailbox.task, mailbox.settingUp) = (task, key)
      return mailbox.unwanted != key
    }
    if !isWanted { task.cancel() }
    return task
  }

  private func isSetUp(_ task: ItemTask) {
    mailbox.withLock { $0.settingUp = nil }
    task.end()
  }

  func tearDown(_ key: WorkerKey) async {
    guard let instance = takeOut(key, 0).instance else {
      // It has gone to another slot.
      return host.step { [slot, generation] in $0.tornDown(slot: slot, generation: generation, key, now: $1) }
    }
    let exit: Result<(any Sendable)?, any Error>
    begin("a tear-down", of: host.worker(key))
    position.leaveItems()
    copies.enter()
    do {
      exit = .success(try await inPlace(of: key) { try await instance.tearDown() })
    } catch {
      exit = .failure(error)
    }
    copies.leave()
    codeHasEnded()
    // One that is closed already is learned of another time.
    host.worker(key)?.learn(.closesNothing, from: position)
    tell(exit, of: key)
    host.step { [slot, generation] in $0.tornDown(slot: slot, generation: generation, key, now: $1) }
  }

  /// Runs a set-up or a tear-down as what it is to pools and runs.
  private func inPlace<R>(of key: WorkerKey, _ body: nonisolated(nonsending) () async throws -> R) async rethrows -> R {
    try await Nesting.$place.withValue(host.place(of: key, inSlot: slot), operation: body)
  }

  private func tell(_ exit: Result<(any Sendable)?, any Error>, of key: WorkerKey) {
    switch exit {
    case .success(let exit?): host.exited(key, slot: slot, .success(exit))
    case .success(nil): break
    case .failure(let error): host.exited(key, slot: slot, .failure(error))
    }
  }

  func instance(_ key: WorkerKey) -> AnyWorkerInstance? {
    instances.withLock { Leaver(worker: key, number: 0, instance: $0.all[key]) }.instance
  }

  /// The worker's instance, which the lane does not have any more. It is not at any of its chunks.
  func takeOut(_ key: WorkerKey, _ number: Int) -> Leaver {
    instances.withLock { Leaver(worker: key, number: number, instance: $0.all.removeValue(forKey: key)) }
  }

  /// Tears down what was taken out, whatever the lane is at meanwhile.
  func tearDownApart(_ leaver: Leaver) {
    let context = WorkerContext(slot: slot, position: ItemPosition()) { [host, slot] in host.logger(slot: slot) }
    let run: @Sendable () async -> Void = { [self] in
      await inPlace(of: leaver.worker) {
        await WorkerContext.$running.withValue(context) {
          do {
            tell(.success(try await leaver.instance?.tearDown()), of: leaver.worker)
          } catch {
            tell(.failure(error), of: leaver.worker)
          }
        }
      }
      mailbox.withLock { $0.leavers[leaver.number] = nil }
      host.step { [slot, generation] in
        $0.tornDown(slot: slot, generation: generation, leaver.worker, apart: leaver.number, now: $1)
      }
    }
    // Under the lock, so that it is there before its end.
    let written = mailbox.withLock { mailbox in
      let task = Task.detached(executorPreference: executor ?? LaneThread.ofFork, operation: run)
      mailbox.leavers[leaver.number] = task
      return mailbox.isDead ? task : nil
    }
    written?.cancel()
  }

  /// Closes what a worker that was written off still holds.
  func tearDownQuietly() async {
    position.leaveItems()
    let rest = instances.withLock { instances in
      defer { instances.all.removeAll() }
      return Instances(all: instances.all)
    }
    for (key, instance) in rest.all.entries {
      do {
        _ = try await inPlace(of: key) { try await instance.tearDown() }
      } catch {
        var logger = host.logger(slot: slot)
        if let who = host.worker(key)?.name(throwing: error) { logger[metadataKey: who.key] = "\(who.name)" }
        logger.error("tear-down of a worker that was given up failed: \(error)")
      }
    }
  }

  /// Code of a worker's has come to its end: if it was given up, that is news.
  func codeHasEnded() {
    let (runaway, errand) = mailbox.withLock { mailbox in
      defer { (mailbox.errand, mailbox.runaway) = (nil, nil) }
      return (mailbox.runaway, mailbox.errand)
    }
    if let runaway { runaways.hasEnded(runaway) }
    // Perhaps the last who has the worker.
    withExtendedLifetime(errand) {}
  }

  private func begin(_ errand: String, of worker: WorkerRecord?) { mailbox.withLock { $0.errand = (errand, worker) } }
}
