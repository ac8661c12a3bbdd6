extension WorkerPool {
  /// The number of CPUs that the machine has online, whether or not this program may use them.
  ///
  /// At least 1.
  public static var cpuCount: Int { Machine.cpuCount }

  /// The number of CPUs that this program may really use: what its CPU affinity allowed when it started (`taskset`, a
  /// container's CPU set), and no more than the quota of its control group (a container's CPU limit), rounded up.
  ///
  /// At least 1. To which CPUs the calling thread is bound makes no difference, neither here nor to the threads and processes
  /// that a pool or a parallel call starts.
  ///
  /// The quota may change while the program runs, so this is computed anew each time (some 50 µs on Linux). It is the default
  /// width of every pool when it is made; `parallelMap` and its kin ask once, with the program's first such call.
  public static var usableCPUs: Int { Machine.usableCPUs }
}
