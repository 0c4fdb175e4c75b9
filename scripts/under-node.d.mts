export const otherNodes: Readonly<Record<string, string>>;
export function nodeBinary(major: string): string;
