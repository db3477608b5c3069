import type { SignInError } from "../../errors/oauth.ts";
import type { WorkspaceNotAllowed } from "../../errors/restriction.ts";
import type { PageContent } from "./render.ts";

const backToProgram = "You can close this tab and go back to the program.";
const startAgain = "You can close this tab and start the sign-in again.";

export const signedIn: PageContent = {
  status: 200,
  tone: "good",
  icon: "check",
  title: "You are signed in",
  paragraphs: [backToProgram],
};

export const cancelled: PageContent = {
  status: 200,
  tone: "calm",
  icon: "pause",
  title: "Sign-in cancelled",
  paragraphs: ["Nothing was changed.", startAgain],
};

export const alreadyFinished: PageContent = {
  status: 409,
  tone: "calm",
  icon: "notice",
  title: "Too late to cancel",
  paragraphs: ["This sign-in is already finished."],
};

export const stateMismatch: PageContent = {
  status: 400,
  tone: "bad",
  icon: "lock",
  title: "State mismatch",
  paragraphs: [
    "This callback belongs to a different sign-in, or to one that has ended. Nothing was changed.",
    "Go back to the page that your sign-in opened, or start it again.",
  ],
};

export const notSaved: PageContent = {
  status: 500,
  tone: "bad",
  icon: "cross",
  title: "The sign-in could not be saved",
  paragraphs: [
    "You approved it, but it could not be stored. The program that you started shows the reason.",
  ],
};

export const notFound: PageContent = {
  status: 404,
  tone: "calm",
  icon: "notice",
  title: "Page not found",
  paragraphs: ["This server belongs to one sign-in and has no such page."],
};

export const wrongHost: PageContent = { ...notFound, status: 403, title: "Request not allowed" };

export const wrongMethod: PageContent = { ...notFound, status: 405, title: "Method not allowed" };

export const otherUser: PageContent = {
  status: 403,
  tone: "bad",
  icon: "lock",
  title: "This link is for another user",
  paragraphs: [
    "The sign-in was started by another user of this machine.",
    "If you started it yourself, open the address that the program shows.",
  ],
};

export const linkReused: PageContent = {
  status: 409,
  tone: "bad",
  icon: "lock",
  title: "This link was opened before",
  paragraphs: [
    "Another program may have read it, so the sign-in was ended. Nothing was changed.",
    startAgain,
  ],
};

/** The page for a callback that ended in an error. */
export const contentForError = (error: SignInError): PageContent => {
  switch (error._tag) {
    case "AuthorizationDenied":
      return {
        status: 403,
        tone: "calm",
        icon: "pause",
        title: "Access was not allowed",
        paragraphs: ["The request was denied. Nothing was changed.", startAgain],
        ...(error.description !== undefined && {
          details: [{ term: "Reason", values: [error.description] }],
        }),
      };
    case "CodexEntitlementMissing":
      return {
        status: 403,
        tone: "bad",
        icon: "lock",
        title: "Codex is not enabled for you",
        paragraphs: [
          "Your workspace does not give your account access to Codex.",
          "Ask an administrator of the workspace for access, then sign in again.",
        ],
      };
    case "WorkspaceNotAllowed":
      return workspaceNotAllowed(error);
    case "SignInCancelled":
      return cancelled;
    default:
      return {
        status:
          error._tag === "AuthorizationFailed" || error._tag === "AuthorizationCodeMissing"
            ? 400
            : 502,
        tone: "bad",
        icon: "cross",
        title: "Sign-in failed",
        paragraphs: ["Nothing was changed.", startAgain],
        details: [
          { term: "What happened", values: [error.message] },
          { term: "What to do", values: [error.hint] },
          { term: "Code", values: [error.code], isCode: true },
        ],
      };
  }
};

const workspaceNotAllowed = (error: WorkspaceNotAllowed): PageContent => ({
  status: 403,
  tone: "bad",
  icon: "lock",
  title: "This workspace is not allowed",
  paragraphs: [
    "Sign-ins on this machine are restricted to other workspaces. Nothing was saved.",
    "Start the sign-in again and choose an allowed workspace.",
  ],
  details: [
    ...(error.found === undefined
      ? []
      : [{ term: "You chose", values: [error.found], isCode: true }]),
    {
      term: error.allowed.length === 1 ? "Allowed workspace" : "Allowed workspaces",
      values: error.allowed,
      isCode: true,
    },
  ],
});
