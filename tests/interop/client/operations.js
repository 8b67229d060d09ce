// @ts-check
// What the client asks for. The manifest generator reads this folder.

import { gql } from '@apollo/client';

const ASSET_PARTS = gql`
  fragment AssetParts on Asset {
    id
    kind
    label
    retention
  }
`;

export const CASE_WITH_ASSETS = gql`
  query CaseWithAssets($id: ID!, $first: Int! = 10) {
    case(id: $id) {
      id
      title
      assets(first: $first) {
        ...AssetParts
      }
    }
  }
  ${ASSET_PARTS}
`;

export const RECENT_CASES = gql`
  query RecentCases($first: Int! = 10) {
    cases(first: $first) {
      id
      title
    }
  }
`;

export const ADD_ASSET = gql`
  mutation AddAsset($input: CreateAssetInput!) {
    createAsset(input: $input) {
      ...AssetParts
    }
  }
  ${ASSET_PARTS}
`;

export const WATCH_CASE = gql`
  subscription WatchCase($caseId: ID!, $count: Int! = 3) {
    caseEvents(caseId: $caseId, count: $count) {
      caseId
      sequence
      kind
    }
  }
`;
