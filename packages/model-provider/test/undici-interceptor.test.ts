import { faceContract } from "./face.contract.ts";
import { interceptorFace } from "./support/faces.ts";

faceContract("authInterceptor", interceptorFace);
