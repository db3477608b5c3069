import { faceContract } from "./face.contract.ts";
import { fetchFace } from "./support/faces.ts";

faceContract("createAuthenticatedFetch", fetchFace);
