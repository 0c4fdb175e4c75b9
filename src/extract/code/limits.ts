/** How far the code of one function is followed, so that every analysis ends soon whatever the bytes are. */
export interface Limits {
  /** Instructions, over all paths and entered functions. */
  readonly instructions: number;
  /** Branches whose condition is not known, over all paths and entered functions. */
  readonly branches: number;
  /** Functions entered inside each other. */
  readonly callDepth: number;
  /** The part of what is left that one entered function may use up, up to 1. */
  readonly callShare: number;
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
export const testLimits: Limits = {
  instructions: 4000,
  branches: 128,
  callDepth: 8,
  callShare: 0.5,
  visits: 20,
  nodes: 600,
};

/** A class_init of an old machine type enters one function for each version since, some forty; it has few branches. */
export const classInitLimits: Limits = {
  instructions: 20_000,
  branches: 64,
  callDepth: 100,
  callShare: 1,
  visits: 2000,
  nodes: 600,
};

/** For the machine types of a program: those of a real QEMU take some 40,000 instructions. */
export function effortForMachines(): Effort {
  return { instructions: 1_000_000, branches: 10_000 };
}
