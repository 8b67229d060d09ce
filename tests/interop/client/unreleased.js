// @ts-check
// What the client's next release asks for: in its own manifest, and not yet in
// the catalogue that the guard enforces.

import { gql } from '@apollo/client';

export const ONE_ASSET = gql`
  query OneAsset($id: ID!) {
    asset(id: $id) {
      id
      sha256
    }
  }
`;

export const ADD_ASSETS = gql`
  mutation AddAssets($inputs: [CreateAssetInput!]!) {
    createAssets(inputs: $inputs) {
      id
    }
  }
`;

export const WATCH_CASE_KINDS = gql`
  subscription WatchCaseKinds($caseId: ID!, $count: Int! = 3) {
    caseEvents(caseId: $caseId, count: $count) {
      kind
    }
  }
`;
