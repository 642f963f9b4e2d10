/*
 * The functions of a process, under their names in src (the test compares the names). Each is a step that
 * nothing interrupts. branch-keys.pml explains the rest of the model. `p` is the process, and `me` is its slot.
 */

/* keys/encryption-slot.ts; `isUsable` is usabilityOf in keys/usability.ts */
#define isUsable(key)    (HAS(me.known, key) && (isConfirmed(key) || me.failing))
#define isPastAge        (!CHECK(3, age[me.current] < HARD) || !CHECK(12, age[me.current] < me.expires))
#define mustAsk          (!CHECK(2, me.unanswered || me.expires != NEVER || age[me.current] < SOFT))
#define mayEncrypt       ((me.refused -> isConfirmed(me.current) : isUsable(me.current)) && !mustAsk)
#define take             (me.current != NONE && !isPastAge && mayEncrypt)
#define isActive(key)    CHECK(5, age[key] >= LEAD)
#define isDue            (mustAsk || age[me.current] >= REFRESH || me.refused || me.unshared || \
                          me.unanswered || me.expires != NEVER)
#define usable           (me.current != NONE && !isPastAge && !me.refused && age[me.current] < SOFT)

/*
 * DecryptionKeys.confirm (keys/decryption-keys.ts): makes Cloud KMS unwrap a key, even if the key is in the
 * cache.
 */
inline confirm(p, key) {
  ask(p, version[key]);
  if
  :: answer == YES ->
     if :: version[key] == 0 -> me.confirmed = 0; me.failing = 0 :: else fi;
     keep(p, key);
     if :: key == me.current -> me.refused = 0 :: else fi
  :: answer == REFUSED -> owed[key] = owed[key] & ~BIT(p)
  :: else
  fi
}

/* KeyVersionAccess.revalidate (keys/key-version-access.ts), DecryptionKeys.#refuse: a refusal removes all keys of the
   version. */
inline revalidate(p) {
  ask(p, 0);
  if
  :: answer == YES -> me.confirmed = 0; me.failing = 0
  :: answer == UNAVAILABLE -> me.failing = 1
  :: answer == REFUSED ->
     printf("%d is refused version 0\n", p);
     me.failing = 0;
     for (EACH_KEY) { if :: version[i] == 0 -> me.known = me.known & ~BIT(i) :: else fi }
     if
     :: me.current != NONE && version[me.current] == 0 ->
        me.refused = 1;
        if :: me.sinceRefusal == NEVER -> me.sinceRefusal = 0 :: else fi
     :: else
     fi
  fi
}

/* EncryptionSlot.refreshed and refreshFailed */
inline refreshed(p) { me.expires = NEVER; me.unanswered = 0 }
inline refreshFailed(p) {
  if
  :: answer == UNAVAILABLE -> me.unanswered = 1
  :: answer == REFUSED && me.current != NONE ->
     n = largest(SOFT, age[me.current] + REVALIDATE - me.confirmed);
     if :: n < me.expires -> me.expires = n :: else fi;
     assert(me.expires <= largest(SOFT, age[me.current] + REVALIDATE))
  :: else
  fi
}

/* EncryptionKeys.#addOwn (keys/encryption-keys.ts), DecryptionKeys.add: a wrap counts as a confirmation if the cache has
   no other key of the version. */
inline addOwn(p, key) {
  n = 0;
  for (EACH_KEY) { n = n + (HAS(me.known, i) && version[i] == 0) }
  if :: n == 0 && version[key] == 0 -> me.confirmed = age[key] :: else fi;
  keep(p, key)
}

/* EncryptionKeys.#adopt */
inline adopt(p, key) {
  printf("%d adopts key %d of age %d\n", p, key, age[key]);
  me.current = key; me.refused = 0;
  if :: version[key] == 1 -> me.sinceRefusal = NEVER :: else fi;
  refreshed(p);
  addOwn(p, key)
}

/* EncryptionKeys.#create and #wrap: `made` is a new key, wrapped under the primary version. */
inline create(p) {
  answer = YES;
  if
  :: me.made == NONE ->
     answer = (!up -> UNAVAILABLE : (primary == 1 || wraps -> YES : REFUSED));
     used = BIT(storedCurrent) | BIT(storedNext) | BIT(past);
     for (EACH_PROCESS) {
       used = used | BIT(slot[i].current) | BIT(slot[i].next) | BIT(slot[i].found) | BIT(slot[i].later) | BIT(slot[i].made)
     }
     j = 0;
     do :: HAS(used, j) -> j++ :: else -> break od;
     assert(j < KEYS);
     age[j] = 0; version[j] = primary; owed[j] = 0;
     for (EACH_PROCESS) { slot[i].known = slot[i].known & ~BIT(j) }
     if :: answer == YES && me.refused && MUTATION != 4 -> confirm(p, j) :: else fi;
     if :: answer == YES -> me.made = j :: else fi
  :: else
  fi
}

/* SharedBranchKeys.#unwrap (keys/shared-branch-keys.ts): `ok` if the process accepts the stored key. */
inline unwrap(p, key) {
  ok = 0; answer = YES;
  if
  :: key == NONE
  :: key != NONE && key == own && forged != REDATED -> ok = 1
  :: else ->
     if
     :: CHECK(11, age[key] < SOFT || forged == REDATED) -> /* looks young */
        if :: HAS(me.known, key) && !isUsable(key) -> revalidate(p) :: else fi;
        if :: isUsable(key) -> answer = YES; keep(p, key) :: else -> confirm(p, key) fi;
        ok = (answer == YES && CHECK(8, forged != MISNAMED) && CHECK(9, forged != REDATED));
        /*
         * A message must name the version that wrapped its key, because a version that no message names can
         * be destroyed.
         */
        assert(!ok || forged != MISNAMED);
        assert(!ok || age[key] < SOFT)
     :: else
     fi
  fi
}

/* SharedBranchKeys.#trySync up to the write: #find and choose. `found` is the key that will encrypt. */
inline trySync(p) {
  own = (usable -> me.current : NONE);
  me.moved = 0;
  unwrap(p, storedCurrent);
  me.found = (ok -> storedCurrent : NONE); lost = (answer == UNAVAILABLE);
  unwrap(p, storedNext);
  me.later = (ok -> storedNext : NONE); lost = (lost || answer == UNAVAILABLE);
  if :: me.found != NONE && age[me.later] >= age[me.found] -> me.later = NONE :: else fi;
  if :: me.later != NONE && (me.found == NONE || isActive(me.later)) -> me.found = me.later; me.later = NONE :: else fi;
  n = me.found;
  if
  :: own == NONE || own == me.found
  :: own != NONE && me.found == NONE -> me.found = own
  :: own != NONE && own != me.found && me.found != NONE ->
     if :: MUTATION == 13 || (!me.unshared && age[own] < age[me.found] && MUTATION != 10) -> me.found = own :: else fi
  fi;
  if
  :: lost && own != NONE -> answer = UNAVAILABLE; refreshFailed(p); verdict = DONE
  :: lost && own == NONE -> verdict = STORE_FAILED
  :: !lost && n != NONE && n == me.found && (me.later != NONE || own == NONE || age[n] < REFRESH) -> verdict = SHARE
  :: else -> me.later = NONE; verdict = REPLACE
  fi
}

/*
 * A successful `replace` of the store. All other processes should unwrap the next key before it may encrypt.
 */
inline replace(p) {
  printf("%d writes to the store\n", p);
#ifdef ATTACKER
  if :: storedCurrent != NONE -> past = storedCurrent :: else fi;
#endif
  storedCurrent = (me.found != NONE -> me.found : me.made);
  storedNext = (me.found != NONE -> me.made : NONE);
  forged = HONEST;
  for (EACH_PROCESS) {
    slot[i].moved = (i != p || slot[i].moved);
    if
    :: i != p && storedNext != NONE && slot[i].current != NONE && !slot[i].missed && !HAS(slot[i].known, storedNext) ->
       owed[storedNext] = owed[storedNext] | BIT(i)
    :: else
    fi
  }
  me.found = storedCurrent; me.later = storedNext
}

/*
 * EncryptionKeys.#share: adopts the key that `trySync` returned. Without the store, a process keeps its key or
 * creates a key.
 */
inline share(p) {
  own = me.current;
  if
  :: verdict == SHARE ->
     /* A process never goes back to an older key of the fleet. */
     assert(me.unshared || !usable || age[me.found] <= age[own]);
     me.unshared = 0;
     me.next = me.later;
     if :: me.next != NONE -> addOwn(p, me.next) :: else fi;
     if
     :: own == me.found && !me.refused && !isPastAge -> refreshed(p)
     :: else -> adopt(p, me.found)
     fi
  :: verdict == STORE_FAILED && !usable ->
     create(p);
     if
     :: answer == YES -> adopt(p, me.made); me.next = NONE; me.unshared = 1
     :: else -> refreshFailed(p)
     fi
  :: else
  fi;
  me.found = NONE; me.later = NONE; me.made = NONE; me.moved = 0; verdict = DONE;
  if :: me.waiting && take -> encrypt(p) :: else -> me.waiting = 0 fi;
  if :: me.current != own -> advance(p) :: else fi
}

/*
 * EncryptionKeys.#activate: the next key encrypts only once Cloud KMS has unwrapped it, so this never happens
 * in an outage.
 */
inline activate(p) {
  confirm(p, me.next);
  if
  :: CHECK(6, answer == YES) -> adopt(p, me.next); me.next = NONE
  :: else ->
     refreshFailed(p);
     if :: answer == REFUSED -> me.next = NONE :: else fi
  fi
}

/* EncryptionKeys.#advance, EncryptionSlot.due */
inline advance(p) {
  verdict = DONE;
  if :: me.current != NONE && hasNext && (mustAsk || isActive(me.next)) -> activate(p) :: else fi;
  if :: (me.current != NONE && !hasNext && isDue) || (me.waiting && !take) -> verdict = OBTAIN :: else fi
}

/* DataKeys.maintain (keys/data-keys.ts): EncryptionSlot.removeExpired, RefusedKeys.askAgain, DecryptionKeys.maintain */
inline maintain(p) {
  me.maintained = 1;
  if
  :: me.current != NONE && isPastAge -> me.current = NONE; me.refused = 0; me.sinceRefusal = NEVER; refreshed(p); excuse(p)
  :: else -> if :: me.refused -> confirm(p, me.current) :: else fi
  fi;
  if :: isDoubtful && me.confirmed >= 1 -> revalidate(p) :: else fi;
  advance(p)
}

/* EncryptionKeys.takeOrWait: `take`, or wait for Cloud KMS. */
inline takeOrWait(p) {
  if :: !take && isDoubtful && !isUsable(me.current) -> revalidate(p) :: else fi;
  if :: take -> encrypt(p) :: else -> me.waiting = 1 fi;
  advance(p)
}

