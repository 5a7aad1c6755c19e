/**
 * A net below callers who forget to close: what holds a sequence is closed when its handle is collected.
 *
 * It comes late or never, so it is no substitute for closing.
 */

/** Something that lives at most as long as its store. */
export interface Revocable {
  /** Idempotent. */
  close(): void
  /** The store closes it: uses after this fail with `CLOSED`. Idempotent. */
  revoke(): void
}

const handles = new FinalizationRegistry<Revocable>((inside) => inside.close())

/** Closes `inside`, which must not refer to `handle`, some time after `handle` was collected. */
export function closeWhenCollected(handle: object, inside: Revocable): void {
  handles.register(handle, inside, inside)
}

/** No longer needed: `inside` was closed. */
export function forgetCollected(inside: Revocable): void {
  handles.unregister(inside)
}
