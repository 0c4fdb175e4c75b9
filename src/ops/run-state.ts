import { decodeText } from '../bytes/window.ts';
import { childNamed } from '../layout/children.ts';
import type { LayoutNode } from '../layout/node.ts';

/** The section that says what the VM was doing (migration/global_state.c). */
export const GLOBAL_STATE = 'globalstate';

/** RunState of the VM (qapi/run-state.json), and the node that says it. */
interface SentRunState {
  readonly node: LayoutNode;
  readonly text: string;
}

/** What is in the content of a section `globalstate`; undefined where that has no readable field for it. */
export function sentRunState(root: LayoutNode): SentRunState | undefined {
  const node = childNamed(root, 'runstate');
  const bytes = node && node.kind !== 'array' ? node.value : undefined;
  if (!node || !(bytes instanceof Uint8Array)) return undefined;
  const end = bytes.indexOf(0);
  return { node, text: decodeText(end < 0 ? bytes : bytes.subarray(0, end)) };
}
