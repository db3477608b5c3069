import type { WorkspaceNotAllowed } from "../../errors/index.ts";
import type { SignInError } from "../../errors/oauth.ts";
import type { PageContent } from "./render.ts";

const backToProgram = "You can close this tab and go back to where you started.";
const startAgain = "You can close this tab and start over.";

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
    "This page belongs to a different sign-in, or to one that is over. Nothing was changed.",
    "Go back to the page that your sign-in opened, or start it again.",
  ],
};

export const notSaved: PageContent = {
  status: 500,
  tone: "bad",
  icon: "cross",
  title: "The sign-in could not be saved",
  paragraphs: ["You approved it, but it could not be kept. The program that you started says why."],
};

export const nothingHere: PageContent = {
  status: 404,
  tone: "calm",
  icon: "notice",
  title: "Nothing here",
  paragraphs: ["This address serves one sign-in only, and this is not a page of it."],
};

export const wrongHost: PageContent = { ...nothingHere, status: 403, title: "Not under this name" };

export const wrongMethod: PageContent = { ...nothingHere, status: 405, title: "Only for reading" };

/** The page for a callback that ended in an error. */
export const contentForError = (error: SignInError): PageContent => {
  switch (error._tag) {
    case "AuthorizationDenied":
      return {
        status: 403,
        tone: "calm",
        icon: "pause",
        title: "Access was not allowed",
        paragraphs: ["You, or the authority, denied the request. Nothing was changed.", startAgain],
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
          "Your account is fine, but the workspace does not give it access to Codex.",
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
    "Sign-ins on this machine are restricted, and you chose another workspace. Nothing was saved.",
    "Start the sign-in again and choose a workspace that is allowed.",
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
