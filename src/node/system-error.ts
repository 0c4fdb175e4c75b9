import { getSystemErrorMap } from 'node:util';

/** An error of the operating system: of a file, a pipe, a process that could not be started. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException & { readonly errno: number } {
  // Errors of zlib have a number, too.
  const { errno, syscall } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  return errno !== undefined && syscall !== undefined;
}

/** Why it failed, in the system's words (`no space left on device`); another error's own message. */
export function failureReason(error: unknown): string {
  if (isSystemError(error)) return getSystemErrorMap().get(error.errno)?.[1] ?? error.message;
  return error instanceof Error ? error.message : String(error);
}
