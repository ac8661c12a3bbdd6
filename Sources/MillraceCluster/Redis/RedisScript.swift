/// What has to happen at once on the server: so that no result is lost or doubled is kept there, whoever dies when.
package enum RedisScript: String, CaseIterable, Sendable {
  case open, announce, submit, settle, missing, cancel, change, finish, renew, started, complete, release, join, drain,
    clean, resume,
    delivered, forget, reclaim, discard

  /// Only its driver may do this. What the server has forgotten is to be opened again: so it is where it remembers a driver from before this one.
  private static let asDriver = """
    local epoch = redis.call('GET', KEYS[1])
    if not epoch or tonumber(epoch) < tonumber(ARGV[1]) then return redis.error_reply('LOST the job is not known') end
    if epoch ~= ARGV[1] then return redis.error_reply('FENCED epoch ' .. epoch .. ', not ' .. ARGV[1]) end

    """

  /// Whether who has something is the agent, which has some of it ahead.
  private static let mine = """
    local function mine(holder, agent) return holder == agent or holder == agent .. '\(RedisKeys.ahead)' end

    """

  /// What is made lives as long as somebody looks after it: whoever makes it may be the last to come.
  private static let keep = """
    local function keep(key)
      if redis.call('PTTL', key) == -1 then redis.call('PEXPIRE', key, \(RedisKeys.life)) end
    end

    """

  package var text: String {
    switch self {
    case .open:
      // KEYS epoch in manifest phase driver; ARGV mine group manifest ttl. By the clock an epoch is later than those that the server has forgotten.
      Self.keep + """
        local epoch = redis.call('GET', KEYS[1])
        if ARGV[1] == '0' then
          local now = redis.call('TIME')
          epoch = string.format('%.0f', math.max((tonumber(epoch) or 0) + 1, now[1] * 1000000 + now[2]))
          redis.call('SET', KEYS[1], epoch)
        elseif not epoch or tonumber(epoch) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) epoch = ARGV[1]
        elseif epoch ~= ARGV[1] then return redis.error_reply('FENCED epoch ' .. epoch .. ', not ' .. ARGV[1]) end
        redis.call('PEXPIRE', KEYS[1], \(RedisKeys.life))
        local made = redis.pcall('XGROUP', 'CREATE', KEYS[2], ARGV[2], '0', 'MKSTREAM')
        if type(made) == 'table' and made.err and not string.find(made.err, 'BUSYGROUP') then return made end
        redis.call('SET', KEYS[3], ARGV[3])
        redis.call('SET', KEYS[4], 'running')
        redis.call('SET', KEYS[5], epoch, 'PX', ARGV[4])
        for i = 2, 4 do keep(KEYS[i]) end
        local info = redis.call('XINFO', 'STREAM', KEYS[2])
        local last = '0-0'
        for i = 1, #info, 2 do if info[i] == 'last-generated-id' then last = info[i + 1] end end
        return {tonumber(epoch), last}
        """
    case .announce:
      // KEYS epoch workers; ARGV epoch worker announcement
      Self.keep + Self.asDriver + """
        redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
        keep(KEYS[2])
        return 1
        """
    case .submit:
      // KEYS epoch in; ARGV epoch (id bytes)…
      Self.keep + Self.asDriver + """
        for i = 2, #ARGV, 2 do
          local added = redis.pcall('XADD', KEYS[2], ARGV[i] .. '-0', 'b', ARGV[i + 1])
          if type(added) == 'table' and added.err and not string.find(added.err, 'equal or smaller') then return added end
        end
        keep(KEYS[2])
        return 1
        """
    case .settle:
      // KEYS epoch out; ARGV epoch first-that-stays
      Self.asDriver + "return redis.call('XTRIM', KEYS[2], 'MINID', ARGV[2])"
    case .missing:
      // KEYS epoch in out; ARGV epoch id…
      Self.asDriver + """
        local there = {}
        for _, entry in ipairs(redis.call('XRANGE', KEYS[3], '-', '+')) do there[entry[2][2]] = true end
        local missing = {}
        for i = 2, #ARGV do
          if not there[ARGV[i]] and #redis.call('XRANGE', KEYS[2], ARGV[i] .. '-0', ARGV[i] .. '-0') == 0 then
            missing[#missing + 1] = ARGV[i]
          end
        end
        return missing
        """
    case .cancel:
      // KEYS epoch in starts; ARGV epoch group id…
      Self.asDriver + """
        for i = 3, #ARGV do
          redis.call('XACK', KEYS[2], ARGV[2], ARGV[i] .. '-0')
          redis.call('XDEL', KEYS[2], ARGV[i] .. '-0')
          redis.call('HDEL', KEYS[3], ARGV[i])
        end
        return 1
        """
    case .change:
      // KEYS epoch phase driver beats (all others of the job); ARGV epoch phase ttl life beats
      Self.asDriver + """
        local beats = tonumber(redis.call('GET', KEYS[4]) or '0')
        if beats < tonumber(ARGV[5]) then return redis.error_reply('LOST what was written last is not there') end
        redis.call('SET', KEYS[4], string.format('%.0f', beats + 1))
        redis.call('SET', KEYS[2], ARGV[2])
        redis.call('SET', KEYS[3], epoch, 'PX', ARGV[3])
        for i = 1, #KEYS do if i ~= 3 then redis.call('PEXPIRE', KEYS[i], ARGV[4]) end end
        return beats + 1
        """
    case .finish:
      // KEYS epoch phase driver (all others of the job); ARGV epoch ttl
      Self.asDriver + """
        for i = 3, #KEYS do redis.call('DEL', KEYS[i]) end
        redis.call('SET', KEYS[2], 'finished', 'PX', ARGV[2])
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        return 1
        """
    case .renew:
      // KEYS in phase driver members alive drains; ARGV group agent ttl id…
      Self.mine + """
        local refused, spoken, unspoken = {}, {}, {}
        for i = 4, #ARGV do
          local id = ARGV[i] .. '-0'
          spoken[id] = true
          local held = redis.pcall('XPENDING', KEYS[1], ARGV[1], id, id, 1)
          if held.err or #held == 0 or not mine(held[1][2], ARGV[2]) then refused[#refused + 1] = ARGV[i]
          else redis.call('XCLAIM', KEYS[1], ARGV[1], held[1][2], 0, id, 'JUSTID') end
        end
        for _, holder in ipairs({ARGV[2], ARGV[2] .. '\(RedisKeys.ahead)'}) do
          local held = redis.pcall('XPENDING', KEYS[1], ARGV[1], '-', '+', #ARGV + 16, holder)
          if not held.err then
            for _, entry in ipairs(held) do
              if not spoken[entry[1]] then unspoken[#unspoken + 1] = entry[1] end
            end
          end
        end
        redis.call('SET', KEYS[5], '1', 'PX', ARGV[3])
        local phase = redis.call('GET', KEYS[2])
        if phase ~= 'finished' and redis.call('EXISTS', KEYS[3]) == 0 then phase = false end
        if phase == 'running' and redis.call('HEXISTS', KEYS[6], ARGV[2]) == 1 then phase = 'draining' end
        return {phase or '', redis.call('HEXISTS', KEYS[4], ARGV[2]), refused, unspoken}
        """
    case .started:
      // KEYS starts in; ARGV id item agent group title: only of what is there, or nobody would remove it. Whoever had it first did not say what it
      // began. Asked again, for the first answer was lost, it counts once: that is the same agent at the same item in the same lease.
      Self.keep + """
        local id = ARGV[1] .. '-0'
        if #redis.call('XRANGE', KEYS[2], id, id) == 0 then return {0, ''} end
        local text = redis.call('HGET', KEYS[1], ARGV[1]) or ''
        local counts = cjson.decode(text == '' and '{"first":1}' or text)
        local held = redis.pcall('XPENDING', KEYS[2], ARGV[4], id, id, 1)
        local lease = not held.err and #held > 0 and held[1][4] or 0
        local same = counts['by'] == ARGV[3] and counts['lease'] == lease
        if not same or counts['at'] ~= ARGV[2] then
          for other in pairs(counts) do
            if tonumber(other) and tonumber(other) < tonumber(ARGV[2]) then counts[other] = nil end
          end
          if not same then counts['prior'] = counts['last'] end
          counts[ARGV[2]] = (counts[ARGV[2]] or counts['first']) + 1
          counts['by'], counts['at'], counts['lease'], counts['last'] = ARGV[3], ARGV[2], lease, ARGV[5]
          redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(counts))
          keep(KEYS[1])
        end
        local before = counts[ARGV[2]] - 1
        return {before, before > 0 and counts['prior'] or ''}
        """
    case .complete:
      // KEYS in out starts members results late (what lies beside); ARGV group id agent result. Asked again, it is not refused for that.
      Self.keep + """
        local id = ARGV[2] .. '-0'
        if redis.call('XACK', KEYS[1], ARGV[1], id) == 0 then
          for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '-', '+')) do
            if entry[2][2] == ARGV[2] and entry[2][4] == ARGV[3] then return 1 end
          end
          if KEYS[7] then redis.call('UNLINK', KEYS[7]) end
          if redis.call('EXISTS', KEYS[1]) == 1 then
            redis.call('HINCRBY', KEYS[6], ARGV[3], 1)
            keep(KEYS[6])
          end
          return 0
        end
        redis.call('XDEL', KEYS[1], id)
        redis.call('HDEL', KEYS[3], ARGV[2])
        redis.call('XADD', KEYS[2], '*', 'i', ARGV[2], 'a', ARGV[3], 'b', ARGV[4])
        redis.call('HINCRBY', KEYS[5], ARGV[3], 1)
        keep(KEYS[2])
        keep(KEYS[5])
        return 1
        """
    case .release:
      // KEYS in starts looked; ARGV group agent id…: as if it had been held for ever, and nobody was lost with it: neither who had it first, nor
      // who had begun an item of it in this lease.
      Self.keep + Self.mine + """
        redis.call('DEL', KEYS[3])
        for i = 3, #ARGV do
          local id = ARGV[i] .. '-0'
          local held = redis.pcall('XPENDING', KEYS[1], ARGV[1], id, id, 1)
          if not held.err and #held > 0 and mine(held[1][2], ARGV[2]) then
            redis.call('XCLAIM', KEYS[1], ARGV[1], 'released', 0, id, 'IDLE', '1000000000', 'JUSTID')
            if held[1][4] == 1 then redis.call('HSETNX', KEYS[2], ARGV[i], '{"first":0}') end
            local text = redis.call('HGET', KEYS[2], ARGV[i]) or ''
            local counts = text == '' and {} or cjson.decode(text)
            if counts['by'] == ARGV[2] and counts['lease'] == held[1][4] then
              counts[counts['at']] = counts[counts['at']] - 1
              counts['last'] = counts['prior']
              counts['by'], counts['at'], counts['lease'], counts['prior'] = nil, nil, nil, nil
              redis.call('HSET', KEYS[2], ARGV[i], cjson.encode(counts))
            end
          end
        end
        keep(KEYS[2])
        return 1
        """
    case .reclaim:
      // KEYS in looked starts; ARGV group agent ttl count pause suspect: what nobody has any more, however much there is before it that somebody has. To
      // look for it costs the server the more, the more is out: so not all do it at a time. Nobody was lost with what was had ahead. Of
      // what two have had before, one piece at most, if any.
      Self.keep + """
        if redis.call('EXISTS', KEYS[2]) == 1 then return {} end
        local most, suspect = tonumber(ARGV[4]), ARGV[6] == '1'
        local found = redis.pcall('XPENDING', KEYS[1], ARGV[1], 'IDLE', ARGV[3], '-', '+', most + 64)
        if found.err then return found end
        if #found == 0 then
          redis.call('SET', KEYS[2], '1', 'PX', ARGV[5])
          return {}
        end
        local entries, counts = {}, {}
        for _, held in ipairs(found) do
          if #entries < most and (held[4] < 2 or suspect) then
            if held[4] >= 2 then suspect = false end
            if held[4] == 1 and string.sub(held[2], -1) == '\(RedisKeys.ahead)' then
              redis.call('HSETNX', KEYS[3], string.match(held[1], '%d+'), '{"first":0}')
            end
            local claimed = redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], held[1])
            if claimed[1] then
              entries[#entries + 1] = claimed[1]
              counts[#counts + 1] = held[4]
            end
          end
        end
        keep(KEYS[3])
        return {entries, counts}
        """
    case .discard:
      // KEYS in starts; ARGV group agent id: what the agent has, and nobody can run.
      Self.mine + """
        local id = ARGV[3] .. '-0'
        local held = redis.pcall('XPENDING', KEYS[1], ARGV[1], id, id, 1)
        if held.err or #held == 0 or not mine(held[1][2], ARGV[2]) then return 0 end
        redis.call('XACK', KEYS[1], ARGV[1], id)
        redis.call('XDEL', KEYS[1], id)
        redis.call('HDEL', KEYS[2], ARGV[3])
        return 1
        """
    case .resume:
      // KEYS epoch run delivered scratch; ARGV epoch head life known: the server may have forgotten all of it, or the end.
      Self.asDriver + """
        local head = redis.call('GET', KEYS[2])
        if not head then
          head = ARGV[2]
          redis.call('SET', KEYS[2], head)
          redis.call('SET', KEYS[3], ARGV[4])
        elseif head == ARGV[2] and #ARGV[4] > 0 then
          redis.call('SET', KEYS[4], ARGV[4])
          redis.call('BITOP', 'OR', KEYS[3], KEYS[3], KEYS[4])
          redis.call('DEL', KEYS[4])
        end
        for i = 2, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
        return head
        """
    case .delivered:
      // KEYS epoch run delivered; ARGV epoch life index…
      Self.asDriver + """
        if redis.call('EXISTS', KEYS[2]) == 0 then return redis.error_reply('LOST the run is not known') end
        for i = 3, #ARGV do redis.call('SETBIT', KEYS[3], ARGV[i], 1) end
        for i = 2, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
        return 1
        """
    case .forget:
      // KEYS epoch run delivered; ARGV epoch
      Self.asDriver + "return redis.call('DEL', KEYS[2], KEYS[3])"
    case .drain:
      // KEYS members drains; ARGV agent…: those that are there.
      Self.keep + """
        local told = {}
        for i = 1, #ARGV do
          if redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then
            redis.call('HSET', KEYS[2], ARGV[i], '1')
            told[#told + 1] = ARGV[i]
          end
        end
        keep(KEYS[2])
        return told
        """
    case .clean:
      // KEYS driver phase (all others of the job)
      """
      if redis.call('EXISTS', KEYS[1]) == 1 and redis.call('GET', KEYS[2]) ~= 'finished' then
        return redis.error_reply('LIVE its driver is there')
      end
      local count = 0
      for i = 1, #KEYS do count = count + redis.call('DEL', KEYS[i]) end
      return count
      """
    case .join:
      // KEYS members alive manifest; ARGV agent description ttl
      Self.keep + """
        if redis.call('EXISTS', KEYS[3]) == 0 then return redis.error_reply('LOST the job is not known') end
        redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
        redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
        keep(KEYS[1])
        return 1
        """
    }
  }
}
