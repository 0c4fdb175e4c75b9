/** How far the code of one function is followed, so that every analysis ends soon whatever the bytes are. */
export interface Limits {
  /** Instructions, over all paths and entered functions. */
  readonly instructions: number;
  /** Branches whose condition is not known, over all paths and entered functions. */
  readonly branches: number;
  /** Functions entered inside each other. */
  readonly callDepth: number;
  /** Times that one path comes to the same instruction. */
  readonly visits: number;
  /** Nodes of one expression; a larger one is not known. */
  readonly nodes: number;
}

/** What is left for all functions of a program together, counted down. */
export interface Effort {
  instructions: number;
  branches: number;
}

/** For the tests of a program: those of a real QEMU take some 5,000 instructions and 400 branches. */
export function effortForTests(): Effort {
  return { instructions: 100_000, branches: 10_000 };
}

/** Real tests take some 20 instructions; one that runs through casts, traces and helpers takes several hundred. */
export const testLimits: Limits = { instructions: 4000, branches: 128, callDepth: 8, visits: 20, nodes: 600 };
