import { faceContract } from "./face.contract.ts";
import { effectFace } from "./support/faces.ts";

faceContract("effect-http-client layer", effectFace);
