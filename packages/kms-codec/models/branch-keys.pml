/*
 * A model of a fleet that shares branch keys, for the model checker Spin (docs/adr/0025-model-of-branch-keys.md).
 * `test/branch-keys/model.test.ts` checks the model in several worlds. Each -D option below turns on one kind
 * of failure.
 *
 *   OUTAGES   Cloud KMS stops responding, and responds again
 *   REFUSALS  version 0 of the crypto key is disabled and enabled, and version 1 becomes the primary version
 *   NO_WRAPS  the permission to encrypt under version 0 is removed and granted
 *   STORE     the store of branch keys stops responding; a write can succeed although its response is lost
 *   PAUSES    processes are suspended or idle          CRASHES   processes are killed and start again
 *   ATTACKER  an attacker writes to the store: another version's name, another date, an older entry, or no entry
 *
 * Spin tries every order of the steps below. `keys.pml` has the functions of a process, under the names that
 * they have in `src`. CHECK(n, condition) is a check that the code makes. -DMUTATION=n removes the check. The
 * test requires that an assertion, or the formula at the end, then fails. -DWITHOUT=n removes one of the three
 * exceptions to promise E15 (docs/security-model.md). The test requires that the promise then breaks.
 *
 * Time passes in ticks. In each tick, a process takes two steps: its timer fires (`maintain`), and it
 * encrypts. The limits below have the same order as the limits in `keys/limits.ts`, but not the same ratios.
 * A step is atomic, except that a process can be interrupted between reading the store and replacing its
 * value. The world changes only before process 0 has begun its tick. Because the processes are alike, this
 * covers changes at any point of a tick: process 1 can be at any point of its own tick.
 *
 * Left out: cryptography (a message contains its wrapped key, so only a wrong version or its destruction can make it
 * unreadable for good); bytes and messages per key; several namespaces, crypto keys or stores; identities that may
 * only encrypt; processes that only read; calls that hang; MAX_TRIES, which two processes cannot reach;
 * outages for one process only; delays below a tick; messages that name a wrong version; refusals of all
 * versions (Cloud KMS never refuses version 1).
 */
#ifndef MUTATION
#define MUTATION 0
#endif
#define CHECK(n, condition) (MUTATION == n || (condition))
#ifndef WITHOUT
#define WITHOUT 0
#endif

#define PROCESSES  2
#define REVALIDATE 2 /* how long a response of Cloud KMS is valid */
#define REFRESH    2 /* age at which the next key is created (REFRESH_AT) */
#define LEAD       1 /* age at which the next key may encrypt (LEAD) */
#define SOFT       4 /* softAgeMs */
#ifdef OUTAGES
#define HARD       8 /* hardAgeMs */
#else
#define HARD       6 /* without outages, no key reaches its hard age */
#endif
/* How many ticks after the last failure the fleet agrees: after a refusal or an attack, at the next rotation. */
#if defined(ATTACKER)
#define SETTLED    (REFRESH + 1)
#elif defined(REFUSALS)
#define SETTLED    REFRESH
#else
#define SETTLED    1
#endif
#define NEVER      15

#define KEYS 7 /* the maximum number of branch keys in use */
#define NONE KEYS
#define BIT(key) (1 << (key))
#define HAS(set, key) ((set) & BIT(key))
#define EACH_KEY i : 0 .. KEYS - 1
#define EACH_PROCESS i : 0 .. PROCESSES - 1

mtype = { YES, REFUSED, UNAVAILABLE, HONEST, MISNAMED, REDATED, DONE, OBTAIN, REPLACE, SHARE, STORE_FAILED };

/* The branch keys: their age, the key version that wrapped them, and which processes should unwrap them soon. */
byte age[KEYS + 1];
bit version[KEYS + 1];
byte owed[KEYS + 1];

typedef Slot {        /* A process. keys/encryption-slot.ts, keys/decryption-keys.ts */
  byte current = NONE;
  byte next = NONE;
  bit unshared;
  bit refused;        /* Cloud KMS refuses to unwrap `current`. keys/refused-keys.ts */
  byte expires = NEVER; /* the age at which `current` expires, because Cloud KMS refused to wrap another key */
  bit unanswered;     /* Cloud KMS counts as unavailable. #unansweredUntil */
  byte known;         /* the keys in the cache */
  byte confirmed = REVALIDATE; /* ticks since Cloud KMS unwrapped a key of version 0. keys/key-version-access.ts */
  bit failing;        /* Cloud KMS did not respond to the last attempt to unwrap such a key */
  byte found = NONE;  /* this field and those below are local to `trySync`. keys/shared-branch-keys.ts */
  byte later = NONE;
  byte made = NONE;
  bit moved;          /* the store's generation has changed since this process read it */
  bit waiting;        /* a payload waits */
  bit maintained;
  byte step;
  bit wrote;          /* only for assertions: has encrypted in this tick */
  bit missed;         /* only for assertions: was suspended, killed or without the store in this tick */
  byte sinceRefusal = NEVER;  /* only for assertions: ticks since Cloud KMS has refused `current` to this process */
}
Slot slot[PROCESSES];

/* The store. branch-keys/store.ts */
byte storedCurrent = NONE, storedNext = NONE, past = NONE;
mtype forged = HONEST;
bit storeUp = 1;

/* Cloud KMS */
bit up = 1, unwraps = 1, wraps = 1, primary;
bit wasDown;          /* in this tick */
byte refusedFor;      /* ticks since Cloud KMS, without an outage, has refused to unwrap keys of version 0 */
bit calm;             /* no more failures */
byte calmFor;

/* Used only inside a step. */
mtype verdict;
hidden byte i, j, own, ok, lost, n, used, answer, to[KEYS + 1], oldAge[KEYS + 1], oldVersion[KEYS + 1], oldOwed[KEYS + 1];

#define me slot[p]

/* The promises about encrypting (docs/security-model.md, E4 and E15). */
inline encrypt(p) {
  printf("%d encrypts with key %d of age %d\n", p, me.current, age[me.current]);
  /*
   * A process uses a version that Cloud KMS refuses for at most REVALIDATE, unless Cloud KMS has wrapped the
   * key since.
   */
  assert(version[me.current] == 1 || refusedFor < REVALIDATE || age[me.current] < REVALIDATE);
  /* After a refusal, a process stops using the version, even if Cloud KMS still wraps keys under it. */
  assert(version[me.current] == 1 || me.sinceRefusal < REVALIDATE || me.sinceRefusal == NEVER);
  /* Past its soft age, a key encrypts only in an outage, or if Cloud KMS refuses another key. */
  assert(age[me.current] < HARD);
  assert(age[me.current] < SOFT || wasDown || (me.expires != NEVER && age[me.current] < me.expires));
#if (!defined(REFUSALS) || WITHOUT == 2) && (!defined(ATTACKER) || WITHOUT == 3)
  /*
   * In an outage, all other processes can read the message, except after a refusal (exception 2) or an attack
   * (exception 3).
   */
  assert(up || owed[me.current] == 0);
#endif
  me.wrote = calm; me.waiting = 0
}

/* Parts of functions, which have no name in the code. */
#define isConfirmed(key) (version[key] == 1 || CHECK(1, me.confirmed < REVALIDATE))
#define hasNext          (me.next != NONE && !me.refused && age[me.next] < SOFT)
#define largest(a, b)    ((a) > (b) -> (a) : (b))
#define isDoubtful       (me.current != NONE && version[me.current] == 0 && HAS(me.known, me.current))

/* Process p had no opportunity to unwrap the keys that it should have unwrapped. */
inline excuse(p) {
  me.missed = 1;
  for (EACH_KEY) { owed[i] = owed[i] & ~BIT(p) }
  i = 0
}

/* Cloud KMS responds to a call that unwraps a key. */
inline ask(p, ofVersion) {
  answer = (!up -> UNAVAILABLE : (ofVersion == 1 || unwraps -> YES : REFUSED));
  if :: answer == YES && ofVersion == 0 -> me.sinceRefusal = NEVER :: else fi
}

inline keep(p, key) { me.known = me.known | BIT(key); owed[key] = owed[key] & ~BIT(p) }

#include "keys.pml"

proctype Process(byte p) {
begin:
  atomic { me.step < 2;
    if
    :: !me.maintained -> d_step { maintain(p) }
    :: !calm || me.maintained -> d_step { takeOrWait(p) }
    :: !calm && me.maintained -> me.step++; goto begin
#ifdef PAUSES
    :: !calm && me.step == 0 -> d_step { me.step = 2; excuse(p) } goto begin
#endif
#ifdef CRASHES
    :: !calm && me.step == 0 ->
       d_step {
         me.current = NONE; me.next = NONE; me.unshared = 0; me.refused = 0; me.sinceRefusal = NEVER; refreshed(p); me.known = 0;
         me.step = 2; excuse(p)
       }
       goto begin
#endif
    fi;
    if
    :: verdict == OBTAIN ->
obtain: /* EncryptionKeys.#obtain */
       if
       :: storeUp -> d_step { trySync(p) }
       :: else -> d_step { verdict = STORE_FAILED; excuse(p) }
       fi
    :: else
    fi;
    if :: verdict == REPLACE -> verdict = 0; goto write :: else fi;
shared: skip;
    d_step { share(p) }
    if :: verdict == OBTAIN -> goto obtain :: else -> verdict = 0; me.step++; goto begin fi
  }

write: /* SharedBranchKeys.#trySync, starting with the write. Another process may have written since the read. */
  atomic {
    d_step {
      if :: me.found == NONE || (usable && age[me.found] >= REFRESH) -> create(p) :: else -> answer = YES fi;
      if :: answer == YES -> verdict = REPLACE :: else -> refreshFailed(p); verdict = DONE fi
    }
    if
    :: verdict == DONE
    :: verdict == REPLACE && storeUp && CHECK(7, !me.moved) -> d_step { replace(p); verdict = SHARE }
    :: verdict == REPLACE && storeUp && me.moved && MUTATION != 7 -> goto obtain
    :: verdict == REPLACE && !storeUp -> verdict = STORE_FAILED
    :: verdict == REPLACE && !storeUp && !me.moved -> d_step { replace(p); verdict = STORE_FAILED } /* the response is lost */
    fi;
    goto shared
  }
}

/* Renumbers the keys and clears the values that no longer matter, so that Spin recognizes equal states. */
inline number(key) { if :: to[key] == NONE && key != NONE -> to[key] = n; n++ :: else fi }
inline renumber() {
  for (j : 0 .. KEYS) {
    to[j] = NONE; oldAge[j] = age[j]; oldVersion[j] = version[j]; oldOwed[j] = owed[j];
    age[j] = 0; version[j] = 0; owed[j] = 0
  }
  n = 0;
  number(storedCurrent); number(storedNext); number(past);
  for (EACH_PROCESS) { number(slot[i].current); number(slot[i].next) }
  for (j : 0 .. KEYS - 1) { age[to[j]] = oldAge[j]; version[to[j]] = oldVersion[j]; owed[to[j]] = oldOwed[j] }
  age[NONE] = 0; version[NONE] = 0; owed[NONE] = 0;
  storedCurrent = to[storedCurrent]; storedNext = to[storedNext]; past = to[past];
  for (EACH_PROCESS) {
    slot[i].current = to[slot[i].current]; slot[i].next = to[slot[i].next];
    used = 0; ok = slot[i].refused;
    for (j : 0 .. KEYS - 1) {
      n = to[j];
      if
      :: HAS(slot[i].known, j) && n != NONE &&
         (n == slot[i].current || n == slot[i].next || n == storedCurrent || n == storedNext) ->
         used = used | BIT(n); ok = (ok || version[n] == 0)
      :: else
      fi
    }
    slot[i].known = used;
    if :: !ok -> slot[i].confirmed = REVALIDATE :: else fi
  }
}

#define older(value, most) if :: value < most -> value++ :: else fi
#define converged (slot[0].current == slot[1].current && slot[0].wrote && slot[1].wrote)
#define isFresh(p) (slot[p].step == 0 && !slot[p].maintained && !slot[p].waiting)
#define mayChange  (!calm && isFresh(0))
#define isBetween  (mayChange && isFresh(1))

active proctype World() {
  atomic { run Process(0); run Process(1) }
  do
  :: d_step { slot[0].step == 2 && slot[1].step == 2 -> /* a tick */
       /* After the last failure, the fleet agrees on a key and encrypts within SETTLED. */
       assert(calmFor < SETTLED || converged);
       if :: calm -> older(calmFor, SETTLED) :: else fi;
       for (EACH_KEY) { older(age[i], HARD) }
       if :: unwraps || !up -> refusedFor = 0 :: else -> older(refusedFor, REVALIDATE) fi;
       wasDown = !up;
       for (EACH_PROCESS) {
         older(slot[i].confirmed, REVALIDATE); older(slot[i].sinceRefusal, REVALIDATE);
         slot[i].failing = 0; slot[i].unanswered = 0;
         slot[i].maintained = 0; slot[i].step = 0; slot[i].wrote = 0; slot[i].missed = 0
       }
       renumber();
       verdict = 0
     }
#ifdef OUTAGES
  :: d_step { mayChange && up -> up = 0; wasDown = 1; refusedFor = 0 }
  :: d_step { mayChange && !up -> up = 1; for (EACH_PROCESS) { slot[i].missed = 1 }
#if WITHOUT != 1
       /* Exception 1: a process that could not unwrap a key in one outage may still lack it in the next outage. */
       for (EACH_KEY) { owed[i] = 0 }
#endif
       i = 0
     }
#endif
#ifdef STORE
  :: d_step { mayChange -> storeUp = !storeUp }
#endif
#ifdef REFUSALS
  :: d_step { mayChange -> unwraps = !unwraps; refusedFor = 0 }
  :: d_step { isBetween && primary == 0 -> primary = 1 }
#endif
#ifdef NO_WRAPS
  :: d_step { isBetween -> wraps = !wraps }
#endif
#ifdef ATTACKER
  :: d_step { isBetween && forged == HONEST && storedCurrent != NONE -> forged = MISNAMED }
  :: d_step { isBetween && forged == HONEST && storedCurrent != NONE -> forged = REDATED }
     /* Restores an older entry, or deletes the entry. */
  :: d_step { isBetween && storedCurrent != NONE -> storedCurrent = past; storedNext = NONE; past = NONE }
#endif
  :: timeout -> assert(false) /* Spin does not report deadlocks while it checks the formula. */
  :: d_step { isBetween -> calm = 1; up = 1; storeUp = 1; if :: unwraps && wraps :: else -> primary = 1 fi }
  od
}

ltl converges { [] (calm -> <> converged) }
